package api

import "strings"

// Routes lists the routes as the document writes them, such as
// "GET /v1/debtors/{id}".
func (s *Server) Routes() []string {
	var list []string
	for _, r := range s.echo.Routes() {
		parts := strings.Split(r.Path, "/")
		for i, p := range parts {
			if name, ok := strings.CutPrefix(p, ":"); ok {
				parts[i] = "{" + name + "}"
			}
		}
		list = append(list, r.Method+" "+strings.Join(parts, "/"))
	}
	return list
}
