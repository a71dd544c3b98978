//! WebSocket frames (RFC 6455 section 5). A message is a control frame, or a data frame with all its continuations.
//! Clients mask what they send, servers do not; both are read.

use super::{FrameError, MESSAGE_BYTES_MAX};
use crate::talk::template::RenderError;

/// First byte of a request unless its turn has a `head`: the only frame of a text message.
const TEXT: u8 = 0x81;
/// Bit of the first byte: the last frame of a message.
const FIN: u8 = 0x80;
/// Bit of the second byte: a masking key follows the length.
const MASKED: u8 = 0x80;
/// Maximum length of a control frame in bytes (5.5).
const CONTROL_BYTES_MAX: u64 = 125;

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WsHeader {
    first: u8,
    mask: Option<[u8; 4]>,
    /// Size of the length in bytes, with the bit that tells whether a key follows.
    pub(crate) field: usize,
    /// Size of the header in bytes.
    pub(crate) size: usize,
    /// Length of the payload.
    pub(crate) len: u64,
}

impl WsHeader {
    fn opcode(self) -> u8 {
        self.first & 0x0f
    }

    fn is_control(self) -> bool {
        self.opcode() >= 8
    }

    fn is_last(self) -> bool {
        self.first & FIN != 0
    }
}

/// The header at the start of `bytes`, once it is complete.
pub(crate) fn header(bytes: &[u8]) -> Result<Option<WsHeader>, FrameError> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    let opcode = first & 0x0f;
    if !matches!(opcode, 0..=2 | 8..=10) {
        return Err(malformed(format!("unknown opcode {opcode:#x}")));
    }
    let (len, extra) = match second & 0x7f {
        126 => (big_endian(rest, 2), 2),
        127 => (big_endian(rest, 8), 8),
        len => (Some(u64::from(len)), 0),
    };
    let Some(len) = len else {
        return Ok(None);
    };
    let least = match extra {
        0 => 0,
        2 => 126,
        _ => 1 << 16,
    };
    if len < least {
        return Err(malformed(format!(
            "a length of {len} in {extra} bytes, although fewer would do"
        )));
    }
    let mask = match second & MASKED {
        0 => None,
        _ => match rest.get(extra..extra + 4).map(<[u8; 4]>::try_from) {
            Some(Ok(mask)) => Some(mask),
            _ => return Ok(None),
        },
    };
    let header = WsHeader {
        first: *first,
        mask,
        field: 1 + extra,
        size: 2 + extra + mask.map_or(0, |mask| mask.len()),
        len,
    };
    if header.is_control() && (len > CONTROL_BYTES_MAX || !header.is_last()) {
        return Err(malformed(
            "a control frame that is fragmented or longer than 125 bytes".to_owned(),
        ));
    }
    Ok(Some(header))
}

/// The number in the first `width` bytes.
fn big_endian(bytes: &[u8], width: usize) -> Option<u64> {
    let digits = bytes.get(..width)?.iter();
    Some(digits.fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

/// The end of the message at the start of `buffer`. `start` is the start of the first frame that is not complete.
pub(super) fn message_len(buffer: &[u8], start: &mut usize) -> Result<Option<usize>, FrameError> {
    loop {
        let Some(header) = header(buffer.get(*start..).unwrap_or_default())? else {
            return Ok(None);
        };
        let continues = header.opcode() == 0;
        if !header.is_control() && continues != (*start > 0) {
            return Err(malformed(
                match continues {
                    true => "a continuation of no message",
                    false => "a message begins before the last one has ended",
                }
                .to_owned(),
            ));
        }
        let declared = header.len.saturating_add((*start + header.size) as u64);
        let end = usize::try_from(declared).unwrap_or(usize::MAX);
        if end > MESSAGE_BYTES_MAX {
            return Err(FrameError::TooLong { declared });
        }
        if end > buffer.len() {
            return Ok(None);
        }
        let is_whole = match header.is_control() {
            // A control frame between the frames of a message belongs to it here.
            true => *start == 0,
            false => header.is_last(),
        };
        if is_whole {
            return Ok(Some(end));
        }
        *start = end;
    }
}

/// The payload of a message: of a control frame, or of all its data frames.
pub(super) fn body(message: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(message.len());
    let mut at = 0;
    while let Ok(Some(header)) = header(&message[at..]) {
        let start = (at + header.size).min(message.len());
        let end = start.saturating_add(usize::try_from(header.len).unwrap_or(usize::MAX));
        let payload = &message[start..end.min(message.len())];
        if at == 0 || !header.is_control() {
            append_masked(payload, header.mask.unwrap_or_default(), &mut body);
        }
        at = end.min(message.len());
    }
    body
}

/// Appends one frame of a client. `head` is its first byte: the opcode, and whether it is the last frame.
pub(super) fn enclose(
    head: Option<&[u8]>,
    body: &[u8],
    mask: [u8; 4],
    out: &mut Vec<u8>,
) -> Result<(), RenderError> {
    let first = match head {
        None => TEXT,
        Some([first]) => *first,
        Some(head) => {
            let got = head.len();
            return Err(RenderError::Head { expected: 1, got });
        }
    };
    put_length(first, body.len() as u64, mask, out);
    append_masked(body, mask, out);
    Ok(())
}

/// The length in a header, from its second byte up to the key, with another number.
pub(crate) fn rewritten(field: &[u8], len: u64) -> Vec<u8> {
    let mut header = Vec::new();
    put_length(TEXT, len, [0; 4], &mut header);
    let mut field_new = header[1..header.len() - 4].to_vec();
    // Whether it is masked stays.
    if let (Some(new), Some(old)) = (field_new.first_mut(), field.first()) {
        *new = *new & !MASKED | old & MASKED;
    }
    field_new
}

/// Appends the header of a text message of this length, with a key that changes nothing.
pub(super) fn put_header(len: u64, out: &mut Vec<u8>) {
    put_length(TEXT, len, [0; 4], out);
}

fn put_length(first: u8, len: u64, mask: [u8; 4], out: &mut Vec<u8>) {
    out.push(first);
    match len {
        0..=125 => out.push(MASKED | len as u8),
        126..=0xffff => {
            out.push(MASKED | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => {
            out.push(MASKED | 127);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
}

fn append_masked(bytes: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    let key = mask.iter().cycle();
    out.extend(bytes.iter().zip(key).map(|(byte, key)| byte ^ key));
}

fn malformed(why: String) -> FrameError {
    FrameError::Malformed {
        frame: "a WebSocket frame",
        why,
    }
}
