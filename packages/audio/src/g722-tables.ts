/* The tables of ITU-T G.722, by their names there. */

/** Decision levels of the 6-bit lower sub-band quantizer, Table 7 */
export const Q6: readonly number[] = [
	0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219, 1339, 1458, 1612, 1765, 1980,
	2195, 2557, 2919,
];
/** Its code words for negative and positive differences, from the first interval on */
export const ILN: readonly number[] = [
	0, 63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4,
];
export const ILP: readonly number[] = [
	0, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32,
];
/** Output levels of the 6-bit and the 4-bit inverse quantizer of the lower sub-band, and of the 2-bit one of the higher */
export const QM6: readonly number[] = [
	-136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360, -8576, -7856, -7192, -6576, -6000,
	-5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688, -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280,
	11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
	-432, -136,
];
export const QM4: readonly number[] = [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
export const QM2: readonly number[] = [-7408, -1616, 7408, 1616];
/** Adaptation of the logarithmic scale factor, by the code word of 4 bits (lower) and of 2 bits (higher) */
export const WL: readonly number[] = [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
export const WH: readonly number[] = [798, -214, 798, -214];
/** Powers of two from the logarithmic scale factor */
export const ILB: readonly number[] = [
	2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025, 3091, 3158, 3228, 3298,
	3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
/** One half of the 24 taps of the symmetric quadrature mirror filter */
export const QMF: readonly number[] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
