//! Tests of `device`.
use burn::tensor::Device;

on_every_engine! {
    async fn device_passes_its_self_test(device: Device) {
        let lines = heirloom_nn::device::self_test(&device).await.unwrap();
        assert_eq!(lines.len(), 5);
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[test]
fn generator_equals_the_peers() {
    // Printed by `uniform(4, 9001, 1.7)` of benches/peers/src/common.js.
    let got = heirloom_nn::device::uniform(4, 9001, 1.7);
    crate::support::assert_close(&got, &PEER, 1e-6);
}

#[cfg(not(target_arch = "wasm32"))]
const PEER: [f32; 4] = [-0.194_600_83, 1.303_350_6, -0.634_043_45, 0.632_398_4];
