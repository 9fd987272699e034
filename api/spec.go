package api

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"
	"gopkg.in/yaml.v3"
)

// Spec is the OpenAPI 3.1 document that is served at /openapi.yaml.
//
//go:embed openapi.yaml
var Spec []byte

// openapi handles GET /openapi.yaml.
func (s *Server) openapi(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/yaml", Spec)
}

// docs handles GET /docs: the document for people, on one page that asks
// nothing of any other host.
func (s *Server) docs(c echo.Context) error {
	page, err := docsPage()
	if err != nil {
		return err
	}
	c.Response().Header().Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	return c.HTMLBlob(http.StatusOK, page)
}

//go:embed docs.html
var docsTemplate string

// docsPage renders the document once.
var docsPage = sync.OnceValues(func() ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(Spec, &doc); err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	root := &node{doc.Content[0]}
	page, err := template.New("docs").Funcs(template.FuncMap{"resolve": root.resolve}).Parse(docsTemplate)
	if err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, root); err != nil {
		return nil, fmt.Errorf("docs: %w", err)
	}
	return out.Bytes(), nil
})

// node is a part of the document; its members keep their order.
type node struct{ *yaml.Node }

// member is a named part of an object.
type member struct {
	Name string
	*node
}

func (n *node) self() *node { return n }

// Get returns a member of an object, empty where there is none.
func (n *node) Get(name string) *node {
	for _, m := range n.Members() {
		if m.Name == name {
			return m.node
		}
	}
	return &node{&yaml.Node{}}
}

// Members lists the members of an object.
func (n *node) Members() (list []member) {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		list = append(list, member{n.Content[i].Value, &node{n.Content[i+1]}})
	}
	return list
}

// Items lists the items of an array.
func (n *node) Items() (list []*node) {
	if n.Kind != yaml.SequenceNode {
		return nil
	}
	for _, c := range n.Content {
		list = append(list, &node{c})
	}
	return list
}

// Contains tells whether an array holds a text.
func (n *node) Contains(text string) bool {
	for _, c := range n.Items() {
		if c.Value == text {
			return true
		}
	}
	return false
}

// Ref is the last part of the reference that n is; empty where it is none.
func (n *node) Ref() string {
	ref := n.Get("$ref").Value
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// resolve follows a reference within the document that n is the root of.
func (n *node) resolve(part interface{ self() *node }) *node {
	x := part.self()
	for path := x.Get("$ref").Value; path != ""; path = x.Get("$ref").Value {
		x = n
		for name := range strings.SplitSeq(strings.TrimPrefix(path, "#/"), "/") {
			x = x.Get(name)
		}
	}
	return x
}

// JSON writes n as JSON, for examples.
func (n *node) JSON() (string, error) {
	var v any
	if err := n.Decode(&v); err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(v, "", "  ")
	return string(b), err
}

// Types are the words for what a schema allows, beside the one it refers to.
func (n *node) Types() string {
	var words []string
	kind := n.Get("type")
	for _, k := range append(kind.Items(), kind) {
		if k.Value != "" && k.Value != "null" {
			words = append(words, k.Value)
		}
	}
	if f := n.Get("format").Value; f != "" {
		words = append(words, f)
	}
	if c := n.Get("const").Value; c != "" {
		words = append(words, c)
	}
	var options []string
	for _, o := range n.Get("enum").Items() {
		if o.Value != "null" && o.Value != "" {
			options = append(options, o.Value)
		}
	}
	if options != nil {
		words = append(words, strings.Join(options, " | "))
	}
	for _, limit := range []struct{ name, sign string }{{"minimum", "≥"}, {"maximum", "≤"}, {"maxLength", "length ≤"}, {"maxItems", "items ≤"}} {
		if v := n.Get(limit.name).Value; v != "" {
			words = append(words, limit.sign+" "+v)
		}
	}
	if d := n.Get("default").Value; d != "" {
		words = append(words, "default "+d)
	}
	return strings.Join(words, ", ")
}
