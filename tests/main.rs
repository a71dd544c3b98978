//! The integration tests: one binary, because linking 22 of them takes longer than running most.
//!
//! Run one module or one test with a filter: `cargo test -p tcprove --test main -- gate::baseline::`.
//!
//! | module | what it tests |
//! |---|---|
//! | [`action`] | the GitHub Action and its script, on a repository with two commits |
//! | [`attached`] | checks on a running server (`--connect`) |
//! | [`bench`] | `tcprove bench`: sweeps, every format, mistakes |
//! | [`cli`] | commands, formats, selections and streams as CONTRACT.md specifies them |
//! | [`confirmation`] | what becomes of a check that fails once |
//! | [`conversation`] | conversations with greetings, pushes and replies that end with the stream |
//! | [`corpora`] | the committed corpora of the fuzz targets |
//! | [`costs`] | faults that cost time, CPU or memory |
//! | [`counters`] | counts under valgrind, which are the same in every run |
//! | [`detect`] | `tcprove init -- COMMAND`: which talk is found out, what is learned, what is never assumed |
//! | [`described`] | helpers, files, inetd, socket activation, computed logins through every command |
//! | [`errors`] | error messages, exit codes and the same message in the JSON |
//! | [`fault_matrix`] | every planted fault is caught by the check that it names |
//! | [`fuzz`] | `tcprove fuzz` and `replay`: planted faults, sound servers, what a campaign keeps |
//! | [`fuzz_real`] | campaigns against real servers |
//! | [`gate`] | `tcprove gate`: regressions fail, equal servers do not, a gate that cannot see its control is void |
//! | [`hostile`] | servers that attack tcprove |
//! | [`injection`] | results of system calls that no client can cause: the filter, the sweep, and the end of a killed run |
//! | [`library`] | the library in a test: verdicts, figures, findings, clients, mistakes |
//! | [`limits`] | `[limits]`: learned by `init --learn`, and kept by loads and campaigns |
//! | [`load`] | `tcprove load`: kinds of load, invalid runs, the clock, many connections |
//! | [`models`] | every protocol in every concurrency model passes the battery |
//! | [`pages`] | pages in a browser, if there is one: widths, light and dark, filters |
//! | [`picture`] | the picture of a terminal in the README |
//! | [`promises`] | promises of connections, times, families and reloads, kept and broken |
//! | [`real_servers`] | no false alarm on real servers |
//! | [`record`] | `tcprove record` |
//! | [`releases`] | public releases with a known fault, and those without it |
//! | [`report_schema`] | the JSON Schema of the reports: every field is described, and no other one passes |
//! | [`reproducer`] | the programs in a finding's folder |
//! | [`resources`] | checks of resources on small servers |
//! | [`scale`] | batteries and loads on several machines: GNU parallel, and a Slurm in namespaces |
//! | [`servers`] | descriptions of real servers: their lengths, and what the battery says |
//! | [`states`] | faults that show in one state of a connection, or beside another one |
//! | [`statistics`] | the statistics against published tables, scipy and simulations |
//! | [`supervisor`] | starting, watching and ending servers |
//! | [`tidy`] | the code style and the allowed dependencies |
//! | [`transport`] | TLS, Unix sockets and PROXY headers: batteries, faults, loads, campaigns |
//! | [`tutorial`] | the known faults of the tutorial's server |
//!
//! [`support`] runs the binary and reads its reports. Long tests need `TCPROVE_SLOW=1`; `TCPROVE_REQUIRE_ALL=1`
//! makes a missing program a failure instead of a skip.

#![allow(clippy::unwrap_used, reason = "tests, outside of #[test] functions")]

mod action;
mod aftermath;
mod attached;
mod bench;
mod by_hand;
mod cli;
mod confirmation;
mod conversation;
mod corpora;
mod costs;
mod counters;
mod described;
mod detect;
mod errors;
mod fault_matrix;
mod fuzz;
mod fuzz_real;
mod gate;
mod hostile;
mod injection;
mod library;
mod limits;
mod load;
mod models;
mod pages;
mod picture;
mod promises;
mod proof;
mod real_servers;
mod record;
mod rehearsal;
mod releases;
mod report_schema;
mod reproducer;
mod resources;
mod scale;
mod servers;
mod states;
mod statistics;
mod supervisor;
mod support;
mod tidy;
mod transport;
mod tutorial;
