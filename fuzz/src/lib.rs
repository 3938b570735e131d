//! What must hold for any bytes, said once: the fuzz targets look for bytes that break it, and the tests of the
//! codec replay the bytes that were found worth keeping.
//!
//! Nothing in here may be built on the code that it judges: topics are judged by a second matcher.

mod packets;
mod topics;

pub use packets::packets;
pub use topics::{naive_filter_is_legal, naive_matches, topics};
