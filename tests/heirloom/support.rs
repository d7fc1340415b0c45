//! Running one test body on every engine.

use burn::tensor::Device;

#[cfg(not(target_arch = "wasm32"))]
pub mod heap;

/// Turns `async fn name(device: Device) { … }` into a native test on the CPU engine and an in-browser test on WebGPU.
macro_rules! on_every_engine {
    ($($(#[$meta:meta])* async fn $name:ident($device:ident: $ty:ty) $body:block)*) => {$(
        $(#[$meta])*
        #[cfg(not(target_arch = "wasm32"))]
        #[test]
        fn $name() {
            pollster::block_on(async {
                let $device: $ty = $crate::support::device().await;
                $body
            });
        }
        $(#[$meta])*
        #[cfg(target_arch = "wasm32")]
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() {
            let $device: $ty = $crate::support::device().await;
            $body
        }
    )*};
}

/// As `on_every_engine`, and in the browser on its CPU engine too, whose loops are other ones than the native.
macro_rules! on_both_engines {
    ($($(#[$meta:meta])* async fn $name:ident($device:ident: $ty:ty) $body:block)*) => {
        on_every_engine! { $($(#[$meta])* async fn $name($device: $ty) $body)* }
        #[cfg(target_arch = "wasm32")]
        mod on_the_cpu {
            #[allow(unused_imports)]
            use super::*;
            $(
                $(#[$meta])*
                #[wasm_bindgen_test::wasm_bindgen_test]
                async fn $name() {
                    let $device: $ty = heirloom_nn::device::cpu();
                    $body
                }
            )*
        }
    };
}

/// The CPU engine; with `HEIRLOOM_ENGINE=webgpu` this machine's adapter, natively.
#[cfg(not(target_arch = "wasm32"))]
pub async fn device() -> Device {
    use std::sync::OnceLock;
    static WEBGPU: OnceLock<Device> = OnceLock::new();
    if std::env::var("HEIRLOOM_ENGINE").is_ok_and(|engine| engine == "webgpu") {
        let start = || pollster::block_on(heirloom_nn::device::webgpu()).expect("a WebGPU adapter");
        return WEBGPU.get_or_init(start).clone();
    }
    heirloom_nn::device::cpu()
}

/// WebGPU; no adapter is a failure, never a skip.
#[cfg(target_arch = "wasm32")]
pub async fn device() -> Device {
    use std::cell::RefCell;
    thread_local!(static DEVICE: RefCell<Option<Device>> = const { RefCell::new(None) });
    if let Some(device) = DEVICE.with_borrow(Clone::clone) {
        return device;
    }
    let device = heirloom_nn::device::webgpu().await.expect("a WebGPU adapter");
    DEVICE.with_borrow_mut(|slot| *slot = Some(device.clone()));
    device
}

/// Fails when any pair differs by more than `tolerance`, and says where most.
#[allow(dead_code)]
pub fn assert_close(got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "lengths differ");
    let worst = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).enumerate();
    let (at, difference) = worst.fold((0, 0.0_f32), |w, (i, d)| if d > w.1 || d.is_nan() { (i, d) } else { w });
    assert!(difference <= tolerance, "at {at}: got {}, expected {} (± {tolerance})", got[at], expected[at]);
}
