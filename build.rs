//! The page's files are in the binary: a file that is new in `static/` makes a new one.

fn main() {
    println!("cargo:rerun-if-changed=static");
}
