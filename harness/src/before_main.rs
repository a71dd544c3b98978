//! What this program is besides a test or a tool: code that runs before `main`.
#![expect(
    unsafe_code,
    reason = "only a section of the program says what runs before main"
)]

/// Called by the C library at the start of every program that contains this one.
extern "C" fn before_main() {
    crate::process::run_hidden();
}

/// The C library calls the functions of this section in turn, after the standard library has noted the arguments.
#[used]
// SAFETY: the section holds pointers to functions that take no argument this one needs, and return nothing.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;
