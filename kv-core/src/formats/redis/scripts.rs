//! Scripts for conditional writes. Each touches one key, so that it runs on clusters, and none reads a document.

use crate::Timestamp;

/// Writes where nothing stands.
///
/// `KEYS[1]`: the key. `ARGV[1]`: the document. `ARGV[2]`: its expiry in milliseconds ([`px`]), or empty.
///
/// Answers 1 if it wrote, and else the stored bytes, so that the client can judge by its own clock whether they are
/// still live, and if not replace them by [`PUT_IF_DIGEST`].
pub const PUT_IF_ABSENT: &str = "\
local written
if ARGV[2] == '' then
  written = redis.call('SET', KEYS[1], ARGV[1], 'NX')
else
  written = redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
end
if written then return 1 end
return redis.call('GET', KEYS[1])
";

/// Writes where these very bytes stand.
///
/// `KEYS[1]`: the key. `ARGV[1]`: the SHA-1 of the expected bytes, in lower-case hex
/// ([`Revision::as_document`](crate::Revision::as_document)). `ARGV[2]`: the document. `ARGV[3]`: its expiry in
/// milliseconds ([`px`]), or empty.
///
/// Answers 1 if it wrote, 0 if something else stands there, -1 if nothing does.
pub const PUT_IF_DIGEST: &str = "\
local stored = redis.call('GET', KEYS[1])
if not stored then return -1 end
if redis.sha1hex(stored) ~= ARGV[1] then return 0 end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
";

/// Deletes where these very bytes stand.
///
/// `KEYS[1]`: the key. `ARGV[1]`: the SHA-1 of the expected bytes, in lower-case hex.
///
/// Answers 1 if it deleted, 0 if something else stands there, -1 if nothing does.
pub const DELETE_IF_DIGEST: &str = "\
local stored = redis.call('GET', KEYS[1])
if not stored then return -1 end
if redis.sha1hex(stored) ~= ARGV[1] then return 0 end
redis.call('UNLINK', KEYS[1])
return 1
";

/// The milliseconds (option `PX`) after which the server may drop an entry that ends at `expires`: rounded up, and at
/// least 1.
///
/// It is never more than 10,000 years, so that the server's own sum, in an `i64`, cannot overflow.
///
/// # Examples
///
/// ```
/// use kv_core::Timestamp;
/// use kv_core::formats::redis::px;
///
/// let at = |micros| Timestamp::from_micros(micros).unwrap();
/// assert_eq!(px(at(2_000_001), at(1_000_000)), 1001);
/// assert_eq!(px(at(1), at(1)), 1);
/// ```
pub fn px(expires: Timestamp, now: Timestamp) -> u64 {
    let micros = expires.as_micros().saturating_sub(now.as_micros());
    // Negative if it has ended.
    u64::try_from(micros).unwrap_or(0).div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_early_and_never_too_much() {
        let at = |micros| Timestamp::from_micros(micros).unwrap();
        for (left, ms) in [(-5, 1), (0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (60_000_000, 60_000)] {
            assert_eq!(px(at(left), at(0)), ms, "{left}");
        }
        let most = px(Timestamp::MAX, Timestamp::MIN);
        let server_now = 1 << 42;
        assert!(i64::try_from(most).unwrap().checked_add(server_now).is_some());
        assert!(most < 10_000 * 366 * 86_400 * 1000);
    }
}
