//! Links the in-browser tests as the engine is linked, see `crates/worker/build.rs`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg-tests=--export=__wasm_call_ctors");
    }
}
