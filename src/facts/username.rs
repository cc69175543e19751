//! Templates of user names and groups.
