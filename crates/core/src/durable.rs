//! What is written down so that it outlives the process: which records there are ([`record`]), how a turn's records
//! leave the core ([`recorder`]), how state comes back from them ([`recovery`], [`restore`]), how all of it is written anew so that
//! older records are no longer needed ([`image`]), how people look at it ([`report`]), and what clients hear when nothing can be written ([`failure`]).
//!
//! A record is a change of one thing: a session, one of its messages, a retained message, a Will. The journal, which
//! stores them, knows none of this. Sessions that end with their connection leave no records but their Wills.

mod copies;
pub(crate) mod evacuation;
mod failure;
pub(crate) mod image;
pub(crate) mod marks;
pub(crate) mod place;
mod presence;
pub(crate) mod reading;
pub(crate) mod record;
pub(crate) mod recorder;
pub(crate) mod recovery;
pub(crate) mod report;
pub(crate) mod restore;
pub(crate) mod spread;
