package api

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"rappel/datasets/ledger"
	"rappel/engine"
)

// maxBody is the size of the largest body that is read, in bytes.
const maxBody = 8 << 20

// maxDrain is how much of a body that is too large is read and thrown away, so
// that a client that sends all of it first still hears why it was refused.
const maxDrain = 64 << 20

var errBodyTooLarge = &problem{Status: http.StatusRequestEntityTooLarge, Code: "body_too_large", Detail: "The body is larger than 8 MiB."}

// readBody returns the whole body of one of the media types; a body of no
// stated type counts as the first of them.
func readBody(c echo.Context, kinds ...string) (body []byte, kind string, err error) {
	r := c.Request()
	if kind, err = mediaType(r, kinds); err != nil {
		return nil, "", err
	}
	body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, "", &problem{Status: http.StatusBadRequest, Code: "unreadable_body", Detail: "The body could not be read to its end."}
	}
	if len(body) > maxBody {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrain)
		return nil, "", errBodyTooLarge
	}
	return body, kind, nil
}

func mediaType(r *http.Request, kinds []string) (string, error) {
	refused := &problem{
		Status: http.StatusUnsupportedMediaType, Code: "unsupported_media_type",
		Detail: "Send " + strings.Join(kinds, " or ") + ", not compressed.",
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return "", refused
	}
	stated := r.Header.Get(echo.HeaderContentType)
	if stated == "" {
		return kinds[0], nil
	}
	if kind, _, err := mime.ParseMediaType(stated); err == nil && slices.Contains(kinds, kind) {
		return kind, nil
	}
	return "", refused
}

// decode reads a JSON body into the struct that dst points to. Members are
// matched by their exact names; those without a field are refused. A null
// counts as left out. It tells all faults at once, each by its JSON pointer.
func decode(c echo.Context, dst any) error {
	body, _, err := readBody(c, echo.MIMEApplicationJSON)
	if err != nil {
		return err
	}
	return decodeJSON(body, dst)
}

func decodeJSON(body []byte, dst any) error {
	if err := json.Unmarshal(body, &json.RawMessage{}); err != nil {
		detail := "The body is not JSON."
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			detail = fmt.Sprintf("The body is not JSON: see byte %d.", syntax.Offset)
		}
		return &problem{Status: http.StatusBadRequest, Code: "bad_json", Detail: detail}
	}
	var d decoder
	d.assign(reflect.ValueOf(dst).Elem(), body, "")
	if d.faults == nil {
		return nil
	}
	return d.faults.problem(d.code)
}

// decoder collects the faults of one body; code is that of the first.
type decoder struct {
	code   string
	faults faults
}

func (d *decoder) fail(code, pointer, format string, args ...any) {
	if d.code == "" {
		d.code = code
	}
	d.faults = append(d.faults, fault{pointer, fmt.Sprintf(format, args...)})
}

// assign stores the valid JSON text in v.
func (d *decoder) assign(v reflect.Value, text json.RawMessage, pointer string) {
	text = bytes.TrimSpace(text)
	if string(text) == "null" && pointer != "" {
		return
	}
	kind, leaf := v.Kind(), isLeaf(v)
	switch {
	case kind == reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.assign(p.Elem(), text, pointer)
		v.Set(p)
	case kind == reflect.Struct && !leaf:
		for name, member := range d.members(text, pointer) {
			if field, ok := fieldOf(v, name); ok {
				d.assign(field, member, pointer+"/"+escape(name))
			} else {
				d.fail("unknown_field", pointer+"/"+escape(name), "there is no field %q", name)
			}
		}
	case kind == reflect.Map && !leaf:
		m := reflect.MakeMap(v.Type())
		if v.Len() > 0 {
			m = v // a part of a default: what is not named stays
		}
		for name, member := range d.members(text, pointer) {
			x := reflect.New(v.Type().Elem()).Elem()
			d.assign(x, member, pointer+"/"+escape(name))
			m.SetMapIndex(reflect.ValueOf(name), x)
		}
		v.Set(m)
	case kind == reflect.Slice && !leaf:
		var items []json.RawMessage
		if json.Unmarshal(text, &items) != nil {
			d.fail("wrong_type", pointer, "must be a list")
			return
		}
		list := reflect.MakeSlice(v.Type(), len(items), len(items))
		for i, item := range items {
			d.assign(list.Index(i), item, pointer+"/"+strconv.Itoa(i))
		}
		v.Set(list)
	default:
		if read(text, v) != nil {
			d.fail("wrong_type", pointer, "must be %s", wanted(v))
		}
	}
}

// read stores the JSON text in v. Of a time it asks more than package time does.
func read(text json.RawMessage, v reflect.Value) error {
	at, ok := reflect.TypeAssert[*time.Time](v.Addr())
	if !ok {
		return json.Unmarshal(text, v.Addr().Interface())
	}
	var s string
	err := json.Unmarshal(text, &s)
	if err == nil {
		*at, err = ledger.ParseTime(s)
	}
	if err == nil && at.IsZero() { // stands for no time at all
		err = errors.New("the zero time")
	}
	return err
}

// members yields the members of an object by name, in order of name.
func (d *decoder) members(text json.RawMessage, pointer string) func(func(string, json.RawMessage) bool) {
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil || object == nil {
		d.fail("wrong_type", pointer, "must be an object")
	}
	return func(yield func(string, json.RawMessage) bool) {
		for _, name := range sortedKeys(object) {
			if !yield(name, object[name]) {
				return
			}
		}
	}
}

// isLeaf tells whether v reads its JSON by itself.
func isLeaf(v reflect.Value) bool {
	switch v.Addr().Interface().(type) {
	case json.Unmarshaler, encoding.TextUnmarshaler:
		return true
	}
	return false
}

// fieldOf returns the field of a JSON name, those of embedded structs among
// them.
func fieldOf(v reflect.Value, name string) (reflect.Value, bool) {
	for i := range v.NumField() {
		if v.Type().Field(i).Anonymous {
			if f, ok := fieldOf(v.Field(i), name); ok {
				return f, true
			}
		}
		if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag == name && tag != "" {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func wanted(v reflect.Value) string {
	if _, ok := reflect.TypeAssert[time.Time](v); ok {
		return "an RFC 3339 time such as 2026-03-04T06:00:00+01:00"
	}
	switch {
	case v.CanInt():
		return "a whole number"
	case v.CanFloat():
		return "a number"
	case v.Kind() == reflect.Bool:
		return "true or false"
	}
	return "a text"
}

// escape writes a name as a part of a JSON pointer.
func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }

// named refuses an empty value.
func named(v, pointer string) error {
	if v == "" {
		return &engine.FieldError{Pointer: pointer, Detail: "is missing"}
	}
	return nil
}

// plausible refuses moments that no debt can have; the zero moment stands for the present.
func plausible(t time.Time, pointer string) error {
	if fault := ledger.TimeFault(t); fault != "" && !t.IsZero() {
		return &engine.FieldError{Pointer: pointer, Detail: fault}
	}
	return nil
}
