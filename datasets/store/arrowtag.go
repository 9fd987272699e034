//go:build !duckdb_arrow

package store

// DuckDB's Arrow interface is behind a build tag. Without it nothing here can
// work, so the build stops with this name as its message:
var _ = build_with_make_or_with_go_build_tags_duckdb_arrow
