//! Which key a place in a document belongs to, and where a key is: `aws.caller.found` for a line and a column, and back.
//! Looked for only once a document is known to be wrong, so that reading a good one needs no book-keeping.

use granit_parser::{Event, Parser};

/// An open map or list.
enum Open {
    Map { key: String, is_key_next: bool },
    List { index: Option<usize> },
}

/// The path of what begins last at or before a place, counted from 1. JSON documents are YAML documents too.
pub(super) fn path_at(text: &str, line: usize, column: usize) -> String {
    let mut path = String::new();
    walk(text, |begin, open| {
        let is_before = begin <= (line, column);
        if is_before {
            path = path_of(open);
        }
        is_before
    });
    path
}

/// The places of what has this path: of its key, if it has one, and of its value.
pub(super) fn places_of(text: &str, path: &str) -> Option<((usize, usize), (usize, usize))> {
    let mut places = None;
    walk(text, |begin, open| {
        let is_it = path_of(open) == path;
        if is_it {
            places = Some((places.map_or(begin, |(key, _)| key), begin));
        }
        is_it || places.is_none()
    });
    places
}

/// Goes through a document; at each beginning of a key, value or end, tells its place and what is open.
fn walk(text: &str, mut visit: impl FnMut((usize, usize), &[Open]) -> bool) {
    let mut open: Vec<Open> = Vec::new();
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        match event {
            Event::Scalar(ref text, ..) => begin_value(&mut open, Some(text)),
            Event::MappingStart(..) | Event::SequenceStart(..) | Event::Alias(_) => begin_value(&mut open, None),
            Event::MappingEnd | Event::SequenceEnd => drop(open.pop()),
            _ => continue,
        }
        if !visit((span.start.line(), span.start.col() + 1), &open) {
            return;
        }
        match event {
            Event::MappingStart(..) => open.push(Open::Map { key: String::new(), is_key_next: true }),
            Event::SequenceStart(..) => open.push(Open::List { index: None }),
            _ => {}
        }
    }
}

/// The path to the innermost of what is open.
fn path_of(open: &[Open]) -> String {
    let mut path = String::new();
    for one in open {
        match one {
            Open::Map { key, .. } if key.is_empty() => {}
            Open::Map { key, .. } if path.is_empty() => path.push_str(key),
            Open::Map { key, .. } => path.extend([".", key]),
            Open::List { index } => path.extend(index.map(|index| format!("[{index}]"))),
        }
    }
    path
}

/// Enters a key, a value or an element into the innermost open map or list.
fn begin_value(open: &mut [Open], text: Option<&str>) {
    match open.last_mut() {
        Some(Open::Map { key, is_key_next }) => {
            if *is_key_next {
                key.clear();
                key.push_str(text.unwrap_or_default());
            }
            *is_key_next = !*is_key_next;
        }
        Some(Open::List { index }) => *index = Some(index.map_or(0, |index| index + 1)),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{path_at, places_of};

    #[test]
    fn a_place_belongs_to_what_begins_last_before_it() {
        let text = "a:\n  b: [x, {c: 1}]\n  d: y\ne: z\n";
        let cases =
            [((1, 1), "a"), ((2, 3), "a.b"), ((2, 7), "a.b[0]"), ((2, 11), "a.b[1].c"), ((3, 6), "a.d"), ((4, 9), "e")];
        for ((line, column), path) in cases {
            assert_eq!(path_at(text, line, column), path, "{line}:{column}");
        }
        assert_eq!(path_at("{\"a\": {\"b\": [5]}}", 1, 14), "a.b[0]");
        assert_eq!(path_at("a: [", 9, 9), "a");
    }

    #[test]
    fn a_path_has_its_place() {
        let text = "a:\n  b: [x, {c: 1}]\n  d: y\ne: z\n";
        for (path, key, value) in
            [("a.b[1].c", (2, 11), (2, 14)), ("a.d", (3, 3), (3, 6)), ("e", (4, 1), (4, 4)), ("a.b[0]", (2, 7), (2, 7))]
        {
            assert_eq!(places_of(text, path), Some((key, value)), "{path}");
        }
        assert_eq!(places_of(text, "a.x"), None);
    }
}
