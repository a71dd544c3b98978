//! The command line as CONTRACT.md specifies it: commands, formats, selections, streams.

mod commands;
mod explain;
mod formats;
mod parts;
mod rerun;
mod selection;
mod since;
mod streams;
use crate::support::Bench;

/// A file for the reference server with the planted `fault`, or sound if it is empty, followed by `rest`. The fault
/// `recv-is-message` fails `split-bytewise` and `split-each-offset`.
fn file(bench: &Bench, fault: &str, rest: &str) {
    let fault = if fault.is_empty() {
        String::new()
    } else {
        format!(", \"--fault\", \"{fault}\"")
    };
    let text = format!(
        "[server]\nname = \"mine\"\ncmd = [\"tcprove\", \"serve\", \"--port\", \"{{port}}\", \"--protocol\", \"line\"{fault}]\n[talk]\nuse = \"line\"\n{rest}"
    );
    bench.write("tcprove.toml", &text);
}
