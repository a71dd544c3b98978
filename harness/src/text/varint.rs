//! Lengths of variable size: base 128 as in protobuf and MQTT, and BER as in LDAP and SNMP.

/// Maximum number of bytes of a number in base 128: ten hold 64 bits.
const VARINT_BYTES_MAX: usize = 10;
/// Maximum number of bytes after the first one of a BER length: eight hold 64 bits.
const BER_BYTES_MAX: usize = 8;

/// The result of reading a number at the start of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scanned {
    /// The number, and how many bytes it takes.
    Number(u64, usize),
    /// More bytes are needed.
    Partial,
    /// The bytes are not a number of this kind; the text says why.
    Wrong(&'static str),
}

/// Appends a number in base 128, least significant group first (LEB128).
pub(crate) fn put_varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a number in base 128. What exceeds 64 bits saturates.
pub(crate) fn scan_varint(bytes: &[u8]) -> Scanned {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(VARINT_BYTES_MAX).enumerate() {
        let group = u64::from(byte & 0x7f);
        let shifted = group << (7 * index);
        number = match shifted >> (7 * index) == group {
            true => number | shifted,
            false => u64::MAX,
        };
        if byte & 0x80 == 0 {
            return Scanned::Number(number, index + 1);
        }
    }
    match bytes.len() < VARINT_BYTES_MAX {
        true => Scanned::Partial,
        false => Scanned::Wrong("a varint of more than ten bytes"),
    }
}

/// Appends a BER length (X.690 8.1.3) in its shortest form.
pub(crate) fn put_ber(number: u64, out: &mut Vec<u8>) {
    if number < 0x80 {
        out.push(number as u8);
        return;
    }
    let bytes = number.to_be_bytes();
    let digits = &bytes[(number.leading_zeros() / 8) as usize..];
    out.push(0x80 | digits.len() as u8);
    out.extend_from_slice(digits);
}

/// Reads a BER length. The indefinite form is refused: LDAP does not allow it (RFC 4511 5.1).
pub(crate) fn scan_ber(bytes: &[u8]) -> Scanned {
    let Some((first, rest)) = bytes.split_first() else {
        return Scanned::Partial;
    };
    let count = usize::from(first & 0x7f);
    if first & 0x80 == 0 {
        return Scanned::Number(u64::from(*first), 1);
    }
    match (count, rest.get(..count)) {
        (0, _) => Scanned::Wrong("an indefinite BER length"),
        (count, _) if count > BER_BYTES_MAX => {
            Scanned::Wrong("a BER length of more than eight bytes")
        }
        (_, None) => Scanned::Partial,
        (count, Some(digits)) => {
            let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
            Scanned::Number(digits.iter().fold(0, add), count + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn varint(number: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(number, &mut out);
        out
    }

    fn ber(number: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_ber(number, &mut out);
        out
    }

    #[test]
    fn known_numbers() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(127), [0x7f]);
        // MQTT 5.0, 1.5.5 and protobuf's guide to its encoding.
        assert_eq!(varint(128), [0x80, 0x01]);
        assert_eq!(varint(150), [0x96, 0x01]);
        assert_eq!(varint(268_435_455), [0xff, 0xff, 0xff, 0x7f]);
        assert_eq!(ber(38), [0x26]);
        assert_eq!(ber(201), [0x81, 0xc9]);
        assert_eq!(ber(65_535), [0x82, 0xff, 0xff]);
        assert_eq!(ber(u64::MAX).len(), 9);
    }

    #[test]
    fn refusals() {
        assert!(matches!(scan_varint(&[0xff; 10]), Scanned::Wrong(_)));
        assert_eq!(scan_varint(&[0xff; 9]), Scanned::Partial);
        let beyond = [&[0xff; 9][..], &[0x7f]].concat();
        assert_eq!(scan_varint(&beyond), Scanned::Number(u64::MAX, 10));
        assert!(matches!(scan_ber(&[0x80, 1]), Scanned::Wrong(_)));
        assert!(matches!(scan_ber(&[0x89]), Scanned::Wrong(_)));
        assert_eq!(scan_ber(&[0x82, 1]), Scanned::Partial);
        assert_eq!(scan_ber(&[0x82, 0, 1]), Scanned::Number(1, 3));
    }

    proptest! {
        #[test]
        fn numbers_round_trip(number: u64, bits in 0..64_u32, rest: Vec<u8>) {
            let number = number >> bits;
            for (written, scan) in [
                (varint(number), scan_varint as fn(&[u8]) -> Scanned),
                (ber(number), scan_ber),
            ] {
                let stream = [&written[..], &rest].concat();
                prop_assert_eq!(scan(&stream), Scanned::Number(number, written.len()));
                prop_assert_eq!(scan(&written[..written.len() - 1]), Scanned::Partial);
            }
        }
    }
}
