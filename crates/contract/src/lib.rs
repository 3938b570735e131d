//! Who may say and hear what: rights as sets of topics, and what can be asked of them.
//!
//! [`Platform`] is what the files of a platform say; [`Rights`] is what a principal may do.
//!
//! Plain and synchronous: no I/O, no clock, no other crate of ours but the codec's topics. Whoever holds a right (a
//! credential, a device) hands in [`Grant`]s; the broker asks a [`Rights`] whether a topic is in it, whether a
//! subscription is inside it, and what is left of a subscription where it is not.

mod duration;
mod filter;
mod grant;
mod narrow;
mod pattern;
pub mod platform;
mod problem;
mod rights;
mod source;
mod subset;
mod template;
#[cfg(test)]
mod testing;

pub use filter::{Filter, Level};
pub use grant::{Grant, GrantLevel, InvalidGrant, Members};
pub use narrow::Narrowed;
pub use pattern::{NoGrant, Pattern, Values};
pub use platform::Platform;
pub use problem::Problem;
pub use rights::Rights;
pub use source::Located;
pub use template::{Template, Unfillable};
