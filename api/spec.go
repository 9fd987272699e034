package api

import (
	_ "embed"
	"net/http"

	"github.com/labstack/echo/v4"
)

// Spec is the OpenAPI 3.1 document that is served at /openapi.yaml.
//
//go:embed openapi.yaml
var Spec []byte

func (s *Server) openapi(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/yaml", Spec)
}

// docs shows the routes of the document to a person.
func (s *Server) docs(c echo.Context) error { return c.HTMLBlob(http.StatusOK, docsPage) }

//go:embed docs.html
var docsPage []byte
