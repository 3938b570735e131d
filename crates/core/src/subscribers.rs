//! The subscriptions to one filter, sorted by session, so that one among very many is found, added and removed
//! without moving the others, and all of them are read one behind the other.
//!
//! ```text
//! none    one    many: [3 7 9 … ]    pieces: [3 … 801] [809 … 1502] [1503 … ]    each of at most PIECE_MAX
//! ```
//! Nearly every filter has one subscriber, which takes no memory besides its node's.

use crate::subscription::Subscription;

/// See the module's drawing.
#[derive(Debug, Default)]
pub(crate) enum Subscribers {
    #[default]
    None,
    One(Subscription),
    Many(Vec<Subscription>),
    /// Never empty, and none of them is.
    #[allow(clippy::box_collection, reason = "a node of the tree is to fit one cache line")]
    Pieces(Box<Vec<Vec<Subscription>>>),
}

impl Subscribers {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Subscribers::None => true,
            Subscribers::One(_) | Subscribers::Pieces(_) => false,
            Subscribers::Many(subscriptions) => subscriptions.is_empty(),
        }
    }

    /// All of them in order, in few pieces.
    #[inline]
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[Subscription]> {
        let (first, rest): (&[Subscription], &[Vec<Subscription>]) = match self {
            Subscribers::None => (&[], &[]),
            Subscribers::One(subscription) => (std::slice::from_ref(subscription), &[]),
            Subscribers::Many(subscriptions) => (subscriptions, &[]),
            Subscribers::Pieces(pieces) => (&[], pieces),
        };
        std::iter::once(first).chain(rest.iter().map(Vec::as_slice))
    }

    /// Adds or replaces; whether it is new.
    pub(crate) fn insert(&mut self, subscription: Subscription) -> bool {
        match self {
            Subscribers::None => *self = Subscribers::One(subscription),
            Subscribers::One(first) if first.session == subscription.session => {
                *first = subscription;
                return false;
            }
            Subscribers::One(first) => {
                let mut both = vec![*first, subscription];
                both.sort_unstable_by_key(|subscription| subscription.session);
                *self = Subscribers::Many(both);
            }
            Subscribers::Many(subscriptions) => match position(subscriptions, subscription.session) {
                Ok(at) => {
                    subscriptions[at] = subscription;
                    return false;
                }
                Err(at) if subscriptions.len() < PIECE_MAX => subscriptions.insert(at, subscription),
                Err(_) => {
                    let mut pieces = vec![std::mem::take(subscriptions)];
                    insert_into(&mut pieces, subscription);
                    *self = Subscribers::Pieces(Box::new(pieces));
                }
            },
            Subscribers::Pieces(pieces) => return insert_into(pieces, subscription),
        }
        true
    }

    /// Removes; whether there was one.
    pub(crate) fn remove(&mut self, session: u32) -> bool {
        match self {
            Subscribers::One(first) if first.session == session => *self = Subscribers::None,
            Subscribers::None | Subscribers::One(_) => return false,
            Subscribers::Many(subscriptions) => {
                let Ok(at) = position(subscriptions, session) else { return false };
                subscriptions.remove(at);
                if subscriptions.is_empty() {
                    *self = Subscribers::None;
                }
            }
            Subscribers::Pieces(pieces) => {
                if !remove_from(pieces, session) {
                    return false;
                }
                if let [only] = &mut pieces[..]
                    && only.len() <= PIECE_MAX / 2
                {
                    *self = Subscribers::Many(std::mem::take(only));
                }
            }
        }
        true
    }
}

fn position(piece: &[Subscription], session: u32) -> Result<usize, usize> {
    // Sessions get rising numbers, so a new subscriber usually belongs at the end.
    if piece.last().is_none_or(|last| last.session < session) {
        return Err(piece.len());
    }
    piece.binary_search_by_key(&session, |subscription| subscription.session)
}

/// The piece that a session belongs to.
fn piece_of(pieces: &[Vec<Subscription>], session: u32) -> usize {
    let begins_behind =
        |piece: &Vec<Subscription>| piece.first().is_some_and(|first| first.session <= session);
    pieces.partition_point(begins_behind).saturating_sub(1)
}

fn insert_into(pieces: &mut Vec<Vec<Subscription>>, subscription: Subscription) -> bool {
    let number = piece_of(pieces, subscription.session);
    let piece = &mut pieces[number];
    let at = match position(piece, subscription.session) {
        Ok(at) => {
            piece[at] = subscription;
            return false;
        }
        Err(at) => at,
    };
    if piece.len() < PIECE_MAX {
        piece.insert(at, subscription);
        return true;
    }
    // Those that come in order leave full pieces behind them.
    let from = if at == PIECE_MAX { PIECE_MAX } else { PIECE_MAX / 2 };
    let mut behind = Vec::with_capacity(PIECE_MAX);
    behind.extend(piece.drain(from..));
    match at.checked_sub(from) {
        Some(at) => behind.insert(at, subscription),
        None => piece.insert(at, subscription),
    }
    pieces.insert(number + 1, behind);
    true
}

fn remove_from(pieces: &mut Vec<Vec<Subscription>>, session: u32) -> bool {
    let number = piece_of(pieces, session);
    let Ok(at) = position(&pieces[number], session) else { return false };
    pieces[number].remove(at);
    // Two neighbours that have room to spare become one, so that there are never many small ones.
    let before = number.saturating_sub(1);
    for first in [number, before] {
        let len = |at: usize| pieces.get(at).map(Vec::len);
        if let (Some(one), Some(other)) = (len(first), len(first + 1))
            && one + other <= PIECE_MAX / 2
        {
            let behind = pieces.remove(first + 1);
            pieces[first].extend(behind);
            return true;
        }
    }
    if pieces[number].is_empty() && pieces.len() > 1 {
        pieces.remove(number);
    }
    true
}

/// Subscriptions that are moved at most when one is added or removed: 8 KiB.
const PIECE_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tidegate_mqtt::{QoS, SubscriptionOptions};

    use super::*;

    fn subscription(session: u32, identifier: u32) -> Subscription {
        Subscription::new(session, SubscriptionOptions::of_qos(QoS::AtMostOnce), identifier)
    }

    fn sessions(subscribers: &Subscribers) -> Vec<(u32, u32)> {
        subscribers.pieces().flatten().map(|one| (one.session, one.identifier)).collect()
    }

    fn check_pieces(subscribers: &Subscribers) {
        if let Subscribers::Pieces(pieces) = subscribers {
            let len: usize = pieces.iter().map(Vec::len).sum();
            assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= PIECE_MAX));
            assert!(pieces.len() <= 2 + len / (PIECE_MAX / 8), "{} pieces for {len}", pieces.len());
        }
    }

    #[test]
    fn subscribers_come_and_go_in_any_order_and_are_found_sorted() {
        let mut subscribers = Subscribers::default();
        let mut expected = BTreeMap::new();
        let mut number: u32 = 1;
        // Growing, steady and shrinking, with each session named now and then.
        for step in 0..60_000_u32 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let session = (number >> 8) % 6_000;
            let adds = (number >> 4) % 16
                < if step < 20_000 {
                    13
                } else if step < 40_000 {
                    8
                } else {
                    2
                };
            if adds {
                let is_new = subscribers.insert(subscription(session, step));
                assert_eq!(is_new, expected.insert(session, step).is_none());
            } else {
                assert_eq!(subscribers.remove(session), expected.remove(&session).is_some());
            }
            if step % 1_000 == 0 {
                assert!(sessions(&subscribers).into_iter().eq(expected.clone()), "step {step}");
                check_pieces(&subscribers);
            }
        }
        for &session in expected.keys() {
            assert!(subscribers.remove(session) && !subscribers.remove(session));
            check_pieces(&subscribers);
        }
        assert!(subscribers.is_empty() && matches!(subscribers, Subscribers::None));
    }

    #[test]
    fn subscribers_in_rising_order_fill_their_pieces() {
        let mut subscribers = Subscribers::default();
        for session in 0..100_000 {
            assert!(subscribers.insert(subscription(session, 0)));
        }
        assert_eq!(
            subscribers.pieces().filter(|piece| !piece.is_empty()).count(),
            100_000_usize.div_ceil(PIECE_MAX)
        );
        // From the front, which would move all others in one list.
        for session in 0..100_000 {
            assert!(subscribers.remove(session));
        }
        assert!(subscribers.is_empty());
    }
}
