//! Reading evidence documents.
