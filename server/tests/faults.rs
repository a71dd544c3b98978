//! Every planted fault starts and holds an ordinary conversation: only its own check sees it.
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod common;

use std::collections::HashSet;
use std::io::Write;
use std::process::Command;

use common::{PROGRAM, Process, children, exchange, finish, read_all};
use rustix::process::{Pid, Signal, kill_process};
use tcprove_server::{Protocol, fault};

#[test]
fn every_fault_holds_an_ordinary_conversation() {
    std::thread::scope(|scope| {
        for fault in fault::all() {
            scope.spawn(move || converse(fault));
        }
    });
}

fn converse(fault: &tcprove_server::Fault) {
    println!("{}", fault.name);
    let server = Process::start(&["--fault", fault.name]);
    let mut stream = server.connect();
    match fault.protocol {
        Protocol::Tutorial => {
            stream.write_all("问题".as_bytes()).unwrap();
            assert_eq!(read_all(&mut stream), "ok, 问题正在处理中...".as_bytes());
        }
        Protocol::Frame => exchange(&mut stream, b"\0\0\0\x02ab", b"\0\0\0\x02ab"),
        _ => {
            exchange(&mut stream, b"first\n", b"first\n");
            exchange(&mut stream, "第二\n".as_bytes(), "第二\n".as_bytes());
        }
    }
    // This one never closes.
    if fault.name != "eof-spin" && fault.protocol != Protocol::Tutorial {
        finish(&stream);
        assert_eq!(read_all(&mut stream), b"", "{}", fault.name);
    }
    // Some leave children behind; this is the last chance to find them.
    for child in children(server.child.id()) {
        let child = Pid::from_raw(i32::try_from(child).unwrap()).unwrap();
        kill_process(child, Signal::KILL).unwrap();
    }
}

#[test]
fn the_list_names_each_fault_once_with_its_check() {
    let output = Command::new(PROGRAM).arg("--list-faults").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), fault::all().len());
    for (line, fault) in text.lines().zip(fault::all()) {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[..2], [fault.name, fault.caught_by]);
        assert!(line.ends_with(fault.about));
        assert!(fault::find(fault.name).is_some());
    }
    let names: HashSet<_> = fault::all().iter().map(|fault| fault.name).collect();
    assert_eq!(names.len(), fault::all().len());
}
