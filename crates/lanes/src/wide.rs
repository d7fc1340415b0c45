//! Four numbers side by side: a vector register in WebAssembly, an array elsewhere.
//!
//! The compiler vectorises plain loops well, but not a tile of a matrix product, whose sums must stay in registers.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vector {
    use core::arch::wasm32::{f32x4, f32x4_add, f32x4_extract_lane, f32x4_splat, i32x4_shuffle, v128};

    /// Four f32.
    #[derive(Clone, Copy)]
    pub struct F32x4(v128);

    impl F32x4 {
        #[inline(always)]
        pub fn splat(value: f32) -> Self {
            Self(f32x4_splat(value))
        }

        #[inline(always)]
        pub fn load(values: &[f32; 4]) -> Self {
            let [a, b, c, d] = *values;
            Self(f32x4(a, b, c, d))
        }

        #[inline(always)]
        pub fn store(self, values: &mut [f32; 4]) {
            let v = self.0;
            *values = [
                f32x4_extract_lane::<0>(v),
                f32x4_extract_lane::<1>(v),
                f32x4_extract_lane::<2>(v),
                f32x4_extract_lane::<3>(v),
            ];
        }

        /// `self + a · b`; rounded once where the browser's relaxed SIMD does that.
        #[inline(always)]
        pub fn plus_product(self, a: Self, b: Self) -> Self {
            #[cfg(target_feature = "relaxed-simd")]
            return Self(core::arch::wasm32::f32x4_relaxed_madd(a.0, b.0, self.0));
            #[cfg(not(target_feature = "relaxed-simd"))]
            return Self(f32x4_add(self.0, core::arch::wasm32::f32x4_mul(a.0, b.0)));
        }

        #[inline(always)]
        pub fn plus(self, other: Self) -> Self {
            Self(f32x4_add(self.0, other.0))
        }

        /// `[a0, b0, a1, b1]` and `[a2, b2, a3, b3]`.
        #[inline(always)]
        pub fn interleaved(self, other: Self) -> (Self, Self) {
            let (a, b) = (self.0, other.0);
            (Self(i32x4_shuffle::<0, 4, 1, 5>(a, b)), Self(i32x4_shuffle::<2, 6, 3, 7>(a, b)))
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod vector {
    /// Four f32.
    #[derive(Clone, Copy)]
    pub struct F32x4([f32; 4]);

    impl F32x4 {
        #[inline(always)]
        pub fn splat(value: f32) -> Self {
            Self([value; 4])
        }

        #[inline(always)]
        pub fn load(values: &[f32; 4]) -> Self {
            Self(*values)
        }

        #[inline(always)]
        pub fn store(self, values: &mut [f32; 4]) {
            *values = self.0;
        }

        /// `self + a · b`.
        #[inline(always)]
        pub fn plus_product(self, a: Self, b: Self) -> Self {
            Self(std::array::from_fn(|i| self.0[i] + a.0[i] * b.0[i]))
        }

        #[inline(always)]
        pub fn plus(self, other: Self) -> Self {
            Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
        }

        /// `[a0, b0, a1, b1]` and `[a2, b2, a3, b3]`.
        #[inline(always)]
        pub fn interleaved(self, other: Self) -> (Self, Self) {
            let (a, b) = (self.0, other.0);
            (Self([a[0], b[0], a[1], b[1]]), Self([a[2], b[2], a[3], b[3]]))
        }
    }
}

pub(crate) use vector::F32x4;
