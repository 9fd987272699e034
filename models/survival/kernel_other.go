//go:build !amd64

package survival

// tile adds Σᵢ w[i]·a[i][0…3]ᵀ·b[i][0…7] to the 4×8 tile that begins at c.
func tile(c []float64, cStride int, a, b, w []float64, stride int) {
	tilePlain(c, cStride, a, b, w, stride)
}

func expQuads([]float64, []float64) int { return 0 }

func addDotQuads([]float64, []float64, []float64) int { return 0 }

func addXtVQuads([]float64, []float64, []float64) int { return 0 }
