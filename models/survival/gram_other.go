//go:build !amd64

package survival

// tile adds Σᵢ a[i][0…3]ᵀ·b[i][0…7] to the 4×8 tile that begins at c.
func tile(c []float64, cStride int, a, b []float64, stride, rows int) {
	tilePlain(c, cStride, a, b, stride, rows)
}

func addDotQuads([]float64, []float64, []float64) int { return 0 }

func addXtVQuads([]float64, []float64, []float64) int { return 0 }
