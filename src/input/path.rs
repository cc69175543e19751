//! Which key a place in a document belongs to: `aws.caller.found` for a line and a column. Looked for only once a
//! document is known to be wrong, so that reading a good one needs no book-keeping.

use granit_parser::{Event, Parser};

/// An open map or list.
enum Open {
    Map { key: String, is_key_next: bool },
    List { index: Option<usize> },
}

/// The path of what begins last at or before a place, counted from 1. JSON documents are YAML documents too.
pub(super) fn path_at(text: &str, line: usize, column: usize) -> String {
    let mut open: Vec<Open> = Vec::new();
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        if (span.start.line(), span.start.col() + 1) > (line, column) {
            break;
        }
        match event {
            Event::MappingStart(..) => {
                begin_value(&mut open, None);
                open.push(Open::Map { key: String::new(), is_key_next: true });
            }
            Event::SequenceStart(..) => {
                begin_value(&mut open, None);
                open.push(Open::List { index: None });
            }
            Event::Scalar(text, ..) => begin_value(&mut open, Some(&text)),
            Event::Alias(_) => begin_value(&mut open, None),
            Event::MappingEnd | Event::SequenceEnd => drop(open.pop()),
            _ => {}
        }
    }
    let mut path = String::new();
    for one in &open {
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
    use super::path_at;

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
}
