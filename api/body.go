package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// readBody returns the whole body, which must not be larger than 8 MiB.
func readBody(c echo.Context) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(c.Request().Body, maxBody+1))
	if err != nil {
		var he *echo.HTTPError
		if errors.As(err, &he) {
			return nil, he
		}
		return nil, &problem{Status: http.StatusBadRequest, Code: "unreadable_body", Detail: "The body could not be read to its end."}
	}
	if len(b) > maxBody {
		return nil, echo.NewHTTPError(http.StatusRequestEntityTooLarge)
	}
	return b, nil
}

// decode reads a JSON body into dst. Unknown fields are refused by name, a
// wrong type by its pointer.
func decode(c echo.Context, dst any) error {
	b, err := readBody(c)
	if err != nil {
		return err
	}
	return decodeJSON(b, dst)
}

func decodeJSON(b []byte, dst any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	err := dec.Decode(dst)
	if err == nil {
		if _, err := dec.Token(); !errors.Is(err, io.EOF) {
			return &problem{Status: http.StatusBadRequest, Code: "bad_json", Detail: "Something follows the JSON value."}
		}
		return nil
	}
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		pointer := "/" + strings.ReplaceAll(kind.Field, ".", "/")
		return &problem{Status: http.StatusUnprocessableEntity, Code: "wrong_type",
			Detail: fmt.Sprintf("%s: a JSON %s does not fit here", pointer, kind.Value),
			Errors: []fieldFault{{pointer, "a JSON " + kind.Value + " does not fit here"}}}
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		return &problem{Status: http.StatusUnprocessableEntity, Code: "unknown_field",
			Detail: fmt.Sprintf("there is no field %q", name), Errors: []fieldFault{{"/" + name, "unknown field"}}}
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &problem{Status: http.StatusBadRequest, Code: "bad_json", Detail: "The body is no JSON: " + err.Error()}
	}
	return &problem{Status: http.StatusUnprocessableEntity, Code: "bad_value", Detail: err.Error()}
}
