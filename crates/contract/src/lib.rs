//! Who may say and hear what: rights as sets of topics, and what can be asked of them.
//!
//! Plain and synchronous: no I/O, no clock, no other crate of ours but the codec's topics. Whoever holds a right (a
//! credential, a device) hands in [`Grant`]s; the broker asks a [`Rights`] whether a topic is in it, whether a
//! subscription is inside it, and what is left of a subscription where it is not.

mod filter;
mod grant;
mod narrow;
mod pattern;
mod problem;
mod rights;
mod subset;
mod template;
#[cfg(test)]
mod testing;

pub use filter::{Filter, Level};
pub use grant::{Grant, GrantLevel, InvalidGrant, Members};
pub use narrow::Narrowed;
pub use pattern::{NoGrant, Pattern, Values};
pub use problem::Problem;
pub use rights::Rights;
pub use template::{Template, Unfillable};
