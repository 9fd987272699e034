#include "textflag.h"

// func cpuid(leaf, sub uint32) (a, b, c, d uint32)
TEXT ·cpuid(SB), NOSPLIT, $0-24
	MOVL leaf+0(FP), AX
	MOVL sub+4(FP), CX
	CPUID
	MOVL AX, a+8(FP)
	MOVL BX, b+12(FP)
	MOVL CX, c+16(FP)
	MOVL DX, d+20(FP)
	RET

// func xgetbv() uint32
TEXT ·xgetbv(SB), NOSPLIT, $0-4
	XORL CX, CX
	XGETBV
	MOVL AX, ret+0(FP)
	RET

// func tileFMA(c *float64, cStride int, a, b *float64, stride, rows int)
//
// Adds Σᵢ a[i][0…3]ᵀ·b[i][0…7] to the 4×8 tile at c. Rows of a and b are
// stride values apart, rows of c cStride. The eight sums stay in Y0…Y7.
TEXT ·tileFMA(SB), NOSPLIT, $0-48
	MOVQ c+0(FP), DI
	MOVQ cStride+8(FP), R8
	MOVQ a+16(FP), SI
	MOVQ b+24(FP), DX
	MOVQ stride+32(FP), R9
	MOVQ rows+40(FP), CX
	SHLQ $3, R8
	SHLQ $3, R9
	LEAQ (DI)(R8*1), R10
	LEAQ (DI)(R8*2), R11
	LEAQ (R10)(R8*2), R12
	VMOVUPD (DI), Y0
	VMOVUPD 32(DI), Y1
	VMOVUPD (R10), Y2
	VMOVUPD 32(R10), Y3
	VMOVUPD (R11), Y4
	VMOVUPD 32(R11), Y5
	VMOVUPD (R12), Y6
	VMOVUPD 32(R12), Y7

loop:
	VMOVUPD (DX), Y8
	VMOVUPD 32(DX), Y9
	VBROADCASTSD (SI), Y10
	VBROADCASTSD 8(SI), Y11
	VBROADCASTSD 16(SI), Y12
	VBROADCASTSD 24(SI), Y13
	VFMADD231PD Y8, Y10, Y0
	VFMADD231PD Y9, Y10, Y1
	VFMADD231PD Y8, Y11, Y2
	VFMADD231PD Y9, Y11, Y3
	VFMADD231PD Y8, Y12, Y4
	VFMADD231PD Y9, Y12, Y5
	VFMADD231PD Y8, Y13, Y6
	VFMADD231PD Y9, Y13, Y7
	ADDQ R9, DX
	ADDQ R9, SI
	DECQ CX
	JNZ loop

	VMOVUPD Y0, (DI)
	VMOVUPD Y1, 32(DI)
	VMOVUPD Y2, (R10)
	VMOVUPD Y3, 32(R10)
	VMOVUPD Y4, (R11)
	VMOVUPD Y5, 32(R11)
	VMOVUPD Y6, (R12)
	VMOVUPD Y7, 32(R12)
	VZEROUPPER
	RET

// func dotFMA(dst, x, b *float64, rows, stride, quads int)
//
// Adds x[i]·b to dst[i], over the first 4·quads columns of rows that are
// stride values apart.
TEXT ·dotFMA(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ rows+24(FP), CX
	MOVQ stride+32(FP), R8
	MOVQ quads+40(FP), R9
	SHLQ $3, R8

dotRow:
	VXORPD Y0, Y0, Y0
	MOVQ SI, R10
	MOVQ DX, R11
	MOVQ R9, R12

dotQuad:
	VMOVUPD (R10), Y1
	VFMADD231PD (R11), Y1, Y0
	ADDQ $32, R10
	ADDQ $32, R11
	DECQ R12
	JNZ dotQuad
	VEXTRACTF128 $1, Y0, X1
	VADDPD X1, X0, X0
	VHADDPD X0, X0, X0
	VADDSD (DI), X0, X0
	VMOVSD X0, (DI)
	ADDQ $8, DI
	ADDQ R8, SI
	DECQ CX
	JNZ dotRow
	VZEROUPPER
	RET

// func sumFMA16(dst, x, v *float64, rows, stride int)
//
// Adds Σᵢ v[i]·x[i] to dst, over 16 columns of rows that are stride values
// apart.
TEXT ·sumFMA16(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ v+16(FP), DX
	MOVQ rows+24(FP), CX
	MOVQ stride+32(FP), R8
	SHLQ $3, R8
	VMOVUPD (DI), Y0
	VMOVUPD 32(DI), Y1
	VMOVUPD 64(DI), Y2
	VMOVUPD 96(DI), Y3

sum16:
	VBROADCASTSD (DX), Y4
	VFMADD231PD (SI), Y4, Y0
	VFMADD231PD 32(SI), Y4, Y1
	VFMADD231PD 64(SI), Y4, Y2
	VFMADD231PD 96(SI), Y4, Y3
	ADDQ $8, DX
	ADDQ R8, SI
	DECQ CX
	JNZ sum16
	VMOVUPD Y0, (DI)
	VMOVUPD Y1, 32(DI)
	VMOVUPD Y2, 64(DI)
	VMOVUPD Y3, 96(DI)
	VZEROUPPER
	RET

// func sumFMA4(dst, x, v *float64, rows, stride int)
//
// Is sumFMA16 over 4 columns.
TEXT ·sumFMA4(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ v+16(FP), DX
	MOVQ rows+24(FP), CX
	MOVQ stride+32(FP), R8
	SHLQ $3, R8
	VMOVUPD (DI), Y0

sum4:
	VBROADCASTSD (DX), Y4
	VFMADD231PD (SI), Y4, Y0
	ADDQ $8, DX
	ADDQ R8, SI
	DECQ CX
	JNZ sum4
	VMOVUPD Y0, (DI)
	VZEROUPPER
	RET
