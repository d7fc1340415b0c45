//! The engine on WebGPU and, where that cannot be had, on the CPU.

fn main() {
    heirloom_worker::run();
}
