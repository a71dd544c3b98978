//! A list of all requests so far, which each request searches.

use std::hint;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use super::Fault;
use crate::config::hooks::{Hooks, Received, Scratch};
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "searches-all",
    caught_by: "soak-drift",
    kind: "slow",
    about: "compares each request with all that came before",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(search),
        ..Hooks::NONE
    },
};

/// Number of comparisons with one earlier request, so that some hundreds of them make a difference.
const COMPARISONS: usize = 100;

static SEEN: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

fn search(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(bytes, _) = received {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        for earlier in seen.iter() {
            for _ in 0..COMPARISONS {
                hint::black_box(hint::black_box(&**earlier) == bytes.as_slice());
            }
        }
        seen.push(bytes.as_slice().into());
    }
}
