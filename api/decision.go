package api

import (
	"bytes"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// decision handles GET /v1/decisions/:id.
func (s *Server) decision(c echo.Context) error {
	creditor, err := creditorOf(c)
	if err != nil {
		return err
	}
	language := c.QueryParam("language")
	if !slices.Contains([]string{"", "nl", "fr", "en"}, language) {
		return &engine.FieldError{Pointer: "/language", Detail: "is none of nl, fr, en"}
	}
	d, err := s.engine.Decision(c.Request().Context(), creditor, param(c, "id"))
	if err != nil {
		return err
	}
	if language != "" {
		d.Decision = *d.In(language)
	}
	return c.JSON(http.StatusOK, d)
}

// creditorOf is the creditor that a request about a decision speaks of: the
// query's, else the key's. It is empty where an operator names none.
func creditorOf(c echo.Context) (string, error) {
	if q := c.QueryParam("creditor_id"); q != "" {
		return q, own(c, q)
	}
	return keyOf(c).Creditor, nil
}

// maxNote is the longest note of a review, in bytes.
const maxNote = 2000

// review handles POST /v1/decisions/:id/approve, reject and override.
func (s *Server) review(verdict string) echo.HandlerFunc {
	return func(c echo.Context) error {
		creditor, err := creditorOf(c)
		if err != nil {
			return err
		}
		var body struct {
			Channel string    `json:"channel"`
			SendAt  time.Time `json:"send_at"`
			Note    string    `json:"note"`
		}
		text, _, err := readBody(c, echo.MIMEApplicationJSON)
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(text)) > 0 {
			if err := decodeJSON(text, &body); err != nil {
				return err
			}
		}
		if err := plausible(body.SendAt, "/send_at"); err != nil {
			return err
		}
		if len(body.Note) > maxNote {
			return &engine.FieldError{Pointer: "/note", Detail: "is longer than 2000 bytes"}
		}
		for pointer, given := range map[string]bool{"/channel": body.Channel != "", "/send_at": !body.SendAt.IsZero()} {
			if given && verdict != "override" {
				return &engine.FieldError{Pointer: pointer, Detail: "belongs to an override"}
			}
		}
		d, err := s.engine.Review(c.Request().Context(), creditor, param(c, "id"), engine.Review{
			Verdict: verdict, Channel: body.Channel, SendAt: body.SendAt, Note: body.Note, Actor: keyOf(c).ID,
		})
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, d)
	}
}

// debtor handles GET /v1/debtors/:id.
func (s *Server) debtor(c echo.Context) error {
	key, err := debtorOf(c)
	if err != nil {
		return err
	}
	asOf, err := momentIn(c, "as_of")
	if err != nil {
		return err
	}
	p, err := s.engine.Debtor(c.Request().Context(), key, asOf)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, p)
}

// debtorOf is the debtor that a path and its query name.
func debtorOf(c echo.Context) (ledger.Key, error) {
	key := ledger.Key{Creditor: c.QueryParam("creditor_id"), Debtor: param(c, "id")}
	if err := named(key.Creditor, "/creditor_id"); err != nil {
		return key, err
	}
	return key, own(c, key.Creditor)
}

// erase handles DELETE /v1/debtors/:id.
func (s *Server) erase(c echo.Context) error {
	key, err := debtorOf(c)
	if err != nil {
		return err
	}
	if err := s.engine.Erase(c.Request().Context(), key, keyOf(c).ID); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
