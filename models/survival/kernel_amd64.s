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

// func tileFMA(c *float64, cStride int, a, b, w *float64, stride, rows int)
//
// Adds Σᵢ w[i]·a[i][0…3]ᵀ·b[i][0…7] to the 4×8 tile at c. Rows of a and b are
// stride values apart, rows of c cStride. The eight sums stay in Y0…Y7.
TEXT ·tileFMA(SB), NOSPLIT, $0-56
	MOVQ c+0(FP), DI
	MOVQ cStride+8(FP), R8
	MOVQ a+16(FP), SI
	MOVQ b+24(FP), DX
	MOVQ w+32(FP), BX
	MOVQ stride+40(FP), R9
	MOVQ rows+48(FP), CX
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
	VBROADCASTSD (BX), Y14
	VMULPD (DX), Y14, Y8
	VMULPD 32(DX), Y14, Y9
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
	ADDQ $8, BX
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

// Constants of expFMA: limit of |x|, log₂e, ln 2 in two parts, and 1/k! for
// k = 13…0.
DATA expConst<>+0(SB)/8, $0x4085e00000000000
DATA expConst<>+8(SB)/8, $0x3ff71547652b82fe
DATA expConst<>+16(SB)/8, $0x3fe62e42fee00000
DATA expConst<>+24(SB)/8, $0x3dea39ef35793c76
DATA expConst<>+32(SB)/8, $0x3de6124613a86d09
DATA expConst<>+40(SB)/8, $0x3e21eed8eff8d898
DATA expConst<>+48(SB)/8, $0x3e5ae64567f544e4
DATA expConst<>+56(SB)/8, $0x3e927e4fb7789f5c
DATA expConst<>+64(SB)/8, $0x3ec71de3a556c734
DATA expConst<>+72(SB)/8, $0x3efa01a01a01a01a
DATA expConst<>+80(SB)/8, $0x3f2a01a01a01a01a
DATA expConst<>+88(SB)/8, $0x3f56c16c16c16c17
DATA expConst<>+96(SB)/8, $0x3f81111111111111
DATA expConst<>+104(SB)/8, $0x3fa5555555555555
DATA expConst<>+112(SB)/8, $0x3fc5555555555555
DATA expConst<>+120(SB)/8, $0x3fe0000000000000
DATA expConst<>+128(SB)/8, $0x3ff0000000000000
DATA expConst<>+136(SB)/8, $0x3ff0000000000000
DATA expConst<>+144(SB)/8, $0x00000000000003ff
DATA expConst<>+152(SB)/8, $0x7fffffffffffffff
GLOBL expConst<>(SB), RODATA, $160

// func expFMA(dst, x *float64, quads int) (far bool)
//
// Stores exp(x[i]) for 4·quads values, and reports whether any is NaN or
// beyond ±700, where what it stores means nothing. With n the whole number
// nearest to x/ln 2 the rest is below 0.35 in size, and the series to the
// 13th power leaves 4e-18 of it.
TEXT ·expFMA(SB), NOSPLIT, $0-25
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ quads+16(FP), CX
	LEAQ expConst<>(SB), R8
	VXORPD Y15, Y15, Y15
	VBROADCASTSD (R8), Y14
	VBROADCASTSD 8(R8), Y13
	VBROADCASTSD 16(R8), Y12
	VBROADCASTSD 24(R8), Y11
	VBROADCASTSD 144(R8), Y10
	VBROADCASTSD 152(R8), Y9

expQuad:
	VMOVUPD (SI), Y0
	VANDPD Y9, Y0, Y1
	VCMPPD $6, Y14, Y1, Y1
	VORPD Y1, Y15, Y15
	VMULPD Y13, Y0, Y1
	VROUNDPD $0, Y1, Y1
	VFNMADD231PD Y12, Y1, Y0
	VFNMADD231PD Y11, Y1, Y0
	VCVTPD2DQY Y1, X1
	VPMOVSXDQ X1, Y1
	VPADDQ Y10, Y1, Y1
	VPSLLQ $52, Y1, Y1
	VBROADCASTSD 32(R8), Y2
	VBROADCASTSD 40(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VBROADCASTSD 48(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VBROADCASTSD 56(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VBROADCASTSD 64(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VBROADCASTSD 72(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VBROADCASTSD 80(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VBROADCASTSD 88(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VBROADCASTSD 96(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VBROADCASTSD 104(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VBROADCASTSD 112(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VBROADCASTSD 120(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VBROADCASTSD 128(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VBROADCASTSD 136(R8), Y3
	VFMADD213PD Y3, Y0, Y2
	VMULPD Y1, Y2, Y2
	VMOVUPD Y2, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ expQuad
	VMOVMSKPD Y15, AX
	TESTL AX, AX
	SETNE far+24(FP)
	VZEROUPPER
	RET
