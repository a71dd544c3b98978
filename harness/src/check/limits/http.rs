//! Requests of HTTP with another body.

/// This request with these fields in place of those that say how long its body is, and with another body.
pub(super) fn rewritten(request: &[u8], fields: &str, body: &[u8]) -> Vec<u8> {
    let mut lines = request.split_inclusive(|byte| *byte == b'\n');
    let mut message = lines.next().unwrap_or_default().to_vec();
    for line in lines.take_while(|line| !line.trim_ascii().is_empty()) {
        if !states_length(line) {
            message.extend_from_slice(line);
        }
    }
    message.extend_from_slice(fields.as_bytes());
    message.extend_from_slice(b"\r\n\r\n");
    message.extend_from_slice(body);
    message
}

/// Whether the head of this request says how long its body is.
pub(super) fn has_body(request: &[u8]) -> bool {
    let lines = request.split(|byte| *byte == b'\n');
    lines
        .take_while(|line| !line.trim_ascii().is_empty())
        .any(states_length)
}

fn states_length(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    [&b"content-length"[..], b"transfer-encoding", b"expect"]
        .iter()
        .any(|field| name.trim_ascii().eq_ignore_ascii_case(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_length_and_the_body_change() {
        let request = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nA: b\r\n\r\nabc";
        assert!(has_body(request));
        assert_eq!(
            rewritten(request, "Transfer-Encoding: chunked", b"ff\r\n"),
            b"POST /a HTTP/1.1\r\nHost: x\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n"
        );
        let plain = b"GET / HTTP/1.0\r\n\r\n";
        assert!(!has_body(plain));
        assert_eq!(
            rewritten(plain, "Content-Length: 9", b"abc"),
            b"GET / HTTP/1.0\r\nContent-Length: 9\r\n\r\nabc"
        );
    }
}
