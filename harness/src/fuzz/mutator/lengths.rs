//! Puts wrong values into length fields.

use super::Mutator;
use super::mutating::{Lengths, Mutating};
use crate::fuzz::material::announced::{self, Field, FieldKind};
use crate::talk::frame::DigitsEnd;
use crate::talk::{Frame, LengthCode};
use crate::text::varint::Scanned;

pub(super) const ENTRY: Mutator = Mutator {
    name: "lengths",
    weight: 10,
    run,
};

fn run(mutating: &mut Mutating<'_>) -> bool {
    mutating.edit(Lengths::AsTheyAre, |bytes, random, material| {
        let fields = announced::fields(material.request_frame(), bytes);
        let Some(field) = random.pick(&fields) else {
            return false;
        };
        let lies = lies(material.request_frame(), field, bytes);
        let Some(lie) = random.pick(&lies) else {
            return false;
        };
        bytes.splice(field.at.clone(), lie.iter().copied());
        true
    })
}

/// Wrong values for a length field.
pub(in crate::fuzz) fn lies(frame: &Frame, field: &Field, bytes: &[u8]) -> Vec<Vec<u8>> {
    let written = &bytes[field.at.clone()];
    let mut lies = match (field.kind, frame) {
        (FieldKind::Header, Frame::Len(len)) => in_header(&len.code, written),
        (FieldKind::Header, Frame::WebSocket) => websocket(written),
        (FieldKind::Inner(code), _) => {
            let numbers = numbers(code.read(written), code.max());
            numbers
                .into_iter()
                .map(|number| code.write(number))
                .collect()
        }
        _ => decimal(written),
    };
    lies.retain(|lie| lie != written);
    lies
}

fn in_header(code: &LengthCode, written: &[u8]) -> Vec<Vec<u8>> {
    let Scanned::Number(truth, _) = code.scan(written) else {
        return Vec::new();
    };
    let mut lies: Vec<Vec<u8>> = numbers(truth, code.max())
        .into_iter()
        .map(|number| {
            let mut lie = Vec::new();
            code.put(number, &mut lie);
            lie
        })
        .collect();
    match code {
        LengthCode::Binary(uint) => {
            // The value in the other byte order.
            lies.push(written.iter().rev().copied().collect());
            lies.retain(|lie| lie.len() == uint.width);
        }
        LengthCode::Varint => {
            let longer = written.iter().map(|byte| byte | 0x80);
            lies.push(longer.clone().chain([0]).collect());
            lies.push(longer.collect());
            lies.extend([
                vec![0xff; 16],
                [&[0xff; 9][..], &[0x7f]].concat(),
                vec![0x80; 4],
            ]);
        }
        LengthCode::Ber => {
            let longer = [&[0x82, 0][..], &truth.to_be_bytes()[7..]].concat();
            lies.extend([longer, vec![0x80], vec![0xff], vec![0x84], vec![0x89; 10]]);
        }
        LengthCode::Digits(digits) => {
            let (number, end) = match &digits.end {
                DigitsEnd::Count(_) => (written, &[][..]),
                DigitsEnd::Until(end) => (&written[..written.len() - end.len()], &end[..]),
            };
            lies.extend(decimal(number).into_iter().map(|lie| [&lie, end].concat()));
        }
    }
    lies
}

/// All three sizes of a length, also where a shorter one would do.
fn websocket(written: &[u8]) -> Vec<Vec<u8>> {
    let masked = written.first().map_or(0, |first| first & 0x80);
    let mut lies: Vec<Vec<u8>> = [0, 1, 2, 124, 125, 126, 127]
        .map(|short| vec![masked | short])
        .to_vec();
    for len in [0, 1, 125, 126, 0x7fff, 0xffff_u16] {
        lies.push([&[masked | 126][..], &len.to_be_bytes()].concat());
    }
    for len in [
        0,
        125,
        0xffff,
        0x1_0000,
        1 << 31,
        u64::MAX >> 32,
        u64::MAX >> 1,
        1 << 63,
        u64::MAX,
    ] {
        lies.push([&[masked | 127][..], &len.to_be_bytes()].concat());
    }
    // Without its key, or with one that is not there.
    let mut other = written.to_vec();
    other[0] ^= 0x80;
    lies.push(other);
    lies
}

/// Numbers at the borders, and around the true one.
fn numbers(truth: u64, max: u64) -> Vec<u64> {
    let numbers = [
        0,
        1,
        2,
        4,
        truth.wrapping_sub(1),
        truth.wrapping_add(1),
        truth.wrapping_mul(2),
        127,
        128,
        255,
        65_535,
        65_536,
        1 << 20,
        (1 << 28) - 1,
        (1 << 31) - 1,
        1 << 31,
        max >> 1,
        (max >> 1) + 1,
        max.wrapping_sub(4),
        max - 1,
        max,
    ];
    let mut numbers = numbers.to_vec();
    numbers.retain(|number| *number <= max);
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn decimal(written: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(written);
    let truth: i128 = text.parse().unwrap_or(1);
    let borders = [31, 32, 63, 64].map(|bits| 1_i128 << bits);
    let around = |border: i128| [border - 1, border, border + 1];
    let beside = [-1, 1, truth].map(|step| truth.saturating_add(step));
    let near = [0, -1, 1 << 20, 512 << 20];
    let low = [-(1_i128 << 31), -(1_i128 << 31) - 1, -(1_i128 << 63)];
    let numbers = near.into_iter().chain(beside).chain(low);
    let numbers = numbers.chain(borders.into_iter().flat_map(around));
    let mut lies: Vec<Vec<u8>> = numbers
        .map(|number| number.to_string().into_bytes())
        .collect();
    let odd = [
        String::new(),
        "9".repeat(40),
        "9".repeat(400),
        format!("000000000000000000000{truth}"),
        format!("+{truth}"),
        format!("-{truth}"),
        format!(" {truth} "),
        format!("{truth}.0"),
        format!("0x{truth:x}"),
        format!("{truth}e9"),
        format!("{truth}\0"),
        "none".to_owned(),
    ];
    lies.extend(odd.map(String::into_bytes));
    lies
}
