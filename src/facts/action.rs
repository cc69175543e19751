//! The grammar of `--action`: what `kubectl auth can-i` would make of the words.
