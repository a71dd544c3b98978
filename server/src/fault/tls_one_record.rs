//! A TLS record is no more a message than a segment is: a client may split a message into records, and one
//! read may decrypt several.

use std::io::BufRead;
use std::os::fd::BorrowedFd;

use rustls::Reader;

use super::Fault;
use crate::config::hooks::{Hooks, LayerHooks, Received, Scratch};
use crate::config::layer::Layer;
use crate::{Model, Protocol};

pub(super) const FAULT: Fault = Fault {
    name: "tls-one-record",
    caught_by: "tls-record-split",
    kind: "wrong-reply",
    about: "takes the first TLS record of a read for a whole line and discards the others",
    protocol: Protocol::Line,
    model: Model::Threads,
    hooks: Hooks {
        after_read: Some(end_line),
        layers: LayerHooks {
            layer: Some(Layer::Tls),
            decrypted: Some(keep_first),
            ..LayerHooks::NONE
        },
        ..Hooks::NONE
    },
};

fn keep_first(mut reader: Reader<'_>, first: &mut Vec<u8>) {
    while let Ok(record @ [_, ..]) = reader.fill_buf() {
        if first.is_empty() {
            first.extend_from_slice(record);
        }
        let length = record.len();
        reader.consume(length);
    }
}

fn end_line(_: &mut Scratch, _: BorrowedFd<'_>, received: Received<'_>) {
    if let Received::Bytes(bytes, _) = received
        && bytes.last() != Some(&b'\n')
    {
        bytes.push(b'\n');
    }
}
