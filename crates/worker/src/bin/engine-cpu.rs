//! The engine on the CPU alone: built without the feature `webgpu`.

fn main() {
    heirloom_worker::run();
}
