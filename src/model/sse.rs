//! Server-sent events out of bytes, as the WHATWG standard reads them: every line ending, a byte order
//! mark, fields nobody knows, code points split over packets. Bounded, and linear in its input.

/// Most bytes one event may have.
pub const EVENT_LIMIT: usize = 16 * 1024 * 1024;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// Its `event` field; empty when it has none.
    pub event: String,
    /// Its `data` fields, joined by line feeds. Bytes that are no UTF-8 are replaced.
    pub data: String,
}

/// An event grew beyond [`EVENT_LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of more than {} MB", EVENT_LIMIT / 1024 / 1024)]
pub struct TooLarge;

/// Decodes one stream. An event that is not closed by a blank line never comes out.
#[derive(Debug)]
pub struct Decoder {
    line: Vec<u8>,
    event: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    after_cr: bool,
    at_start: bool,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            line: Vec::new(),
            event: Vec::new(),
            data: Vec::new(),
            has_data: false,
            after_cr: false,
            at_start: true,
        }
    }
}

impl Decoder {
    /// Takes the next bytes in and appends the events they complete to `frames`.
    pub fn push(&mut self, mut bytes: &[u8], frames: &mut Vec<Frame>) -> Result<(), TooLarge> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) else {
                self.line.extend_from_slice(bytes);
                return self.check();
            };
            let (line, rest) = bytes.split_at(end);
            self.after_cr = rest[0] == b'\r';
            bytes = &rest[1..];
            if self.line.is_empty() {
                self.take_line(line, frames);
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.take_line(&whole, frames);
                whole.clear();
                self.line = whole;
            }
            self.check()?;
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TooLarge> {
        let size = self.line.len() + self.data.len() + self.event.len();
        if size > EVENT_LIMIT { Err(TooLarge) } else { Ok(()) }
    }

    fn take_line(&mut self, mut line: &[u8], frames: &mut Vec<Frame>) {
        if std::mem::take(&mut self.at_start) {
            line = line.strip_prefix(BOM).unwrap_or(line);
        }
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            let data = std::mem::take(&mut self.data);
            if std::mem::take(&mut self.has_data) {
                frames.push(Frame { event: text(event), data: text(data) });
            }
            return;
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.event.clear();
                self.event.extend_from_slice(value);
            }
            // Comments, ids, retry times (we never reconnect a POST) and whatever comes next.
            _ => {}
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(input: &[u8], step: usize) -> Vec<Frame> {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        for piece in input.chunks(step) {
            decoder.push(piece, &mut frames).unwrap();
        }
        frames
    }

    /// However the bytes are cut, the same events come out.
    fn check(input: &str, expected: &[(&str, &str)]) {
        let expected: Vec<Frame> = expected
            .iter()
            .map(|(event, data)| Frame { event: (*event).into(), data: (*data).into() })
            .collect();
        for step in [1, 2, 3, 5, 7, 4096] {
            assert_eq!(decode(input.as_bytes(), step), expected, "{input:?} in steps of {step}");
        }
    }

    #[test]
    fn reads_every_line_ending() {
        check("event: a\ndata: 1\n\n", &[("a", "1")]);
        check("event: a\r\ndata: 1\r\n\r\n", &[("a", "1")]);
        check("event: a\rdata: 1\r\r", &[("a", "1")]);
        check("data: 1\r\n\ndata: 2\n\r\n", &[("", "1"), ("", "2")]);
    }

    #[test]
    fn joins_data_lines_and_keeps_inner_blanks() {
        check("data: a\ndata:  b\ndata:c\n\n", &[("", "a\n b\nc")]);
        check("data\ndata\n\n", &[("", "\n")]);
        check("data:\n\n", &[("", "")]);
    }

    #[test]
    fn skips_comments_unknown_fields_and_events_without_data() {
        check(
            ": hi\n\nid: 1\nretry: 5\n\nfoo\nbar: x\ndata: 1\n\nevent: lonely\n\ndata: 2\n\n",
            &[("", "1"), ("", "2")],
        );
    }

    #[test]
    fn the_last_event_name_counts() {
        check("event: a\nevent: b\ndata: 1\n\n", &[("b", "1")]);
    }

    #[test]
    fn drops_one_byte_order_mark_at_the_start_only() {
        check("\u{feff}data: 1\n\ndata: \u{feff}2\n\n", &[("", "1"), ("", "\u{feff}2")]);
    }

    #[test]
    fn an_event_without_its_blank_line_never_comes_out() {
        check("data: 1\n\ndata: 2\n", &[("", "1")]);
        check("data: 1\n\ndata: 2", &[("", "1")]);
    }

    #[test]
    fn code_points_survive_any_cut() {
        check("data: grüße 日本語 🦀\n\n", &[("", "grüße 日本語 🦀")]);
    }

    #[test]
    fn broken_utf8_is_replaced_not_fatal() {
        assert_eq!(decode(b"data: a\xffb\n\n", 4)[0].data, "a\u{fffd}b");
    }

    #[test]
    fn refuses_an_event_beyond_the_limit() {
        let block = vec![b'x'; 1024 * 1024];
        let mut endless_line = Decoder::default();
        endless_line.push(b"data: ", &mut Vec::new()).unwrap();
        let fed = (0..20).take_while(|_| endless_line.push(&block, &mut Vec::new()).is_ok()).count();
        assert_eq!(fed, 15);

        let mut endless_event = Decoder::default();
        let line = [b"data: ".as_slice(), &block, b"\n"].concat();
        let fed = (0..20).take_while(|_| endless_event.push(&line, &mut Vec::new()).is_ok()).count();
        assert_eq!(fed, 15);
    }

    #[test]
    fn a_long_line_in_small_pieces_is_linear() {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        decoder.push(b"data: ", &mut frames).unwrap();
        let start = std::time::Instant::now();
        for _ in 0..500_000 {
            decoder.push(b"sixteen bytes.. ", &mut frames).unwrap();
        }
        decoder.push(b"\n\n", &mut frames).unwrap();
        assert_eq!(frames[0].data.len(), 8_000_000);
        assert!(start.elapsed() < std::time::Duration::from_secs(10), "{:?}", start.elapsed());
    }
}
