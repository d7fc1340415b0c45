//! Tells the linker that the engine's program runs its own constructors.
//!
//! burn's shader compiler registers its dialects in constructors (crate `inventory`). When nothing calls
//! `__wasm_call_ctors`, the linker takes the program for a command and wraps *every* export so that it runs all
//! constructors first: each call from JavaScript, every object handed over, would register everything again.
//! `platform::constructors` calls it once instead.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg-bins=--export=__wasm_call_ctors");
    }
}
