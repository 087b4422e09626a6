//! Power that goes: what was acknowledged is there, however much of what was not yet synced got to the disk.
//!
//! After every acknowledged write the files are as the disk has them. What is written next may be on the disk in any
//! part: images are made in which only some of its sectors are, in any order, and the last one torn. While the
//! write-ahead log is being written the database file is not, and while the log is copied into the database the log is
//! whole; so there are two kinds of images.

use std::path::Path;

use broadsheet::store::{self, Store};
use broadsheet::values::address::Address;
use broadsheet::values::clock::Clock;
use broadsheet::values::ids::NewsletterId;
use broadsheet::verbs::membership::{NewReader, add_reader};

use crate::app::{NOW, TestApp};

/// Acknowledged writes; two images are made after each.
const WRITES: usize = 100;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
const SEED: u64 = 20_261_129;

/// The files as a disk may have them.
#[derive(Clone)]
struct Image {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Image {
    fn of(folder: &Path) -> Self {
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap_or_default();
        Self { database: read("broadsheet.db"), log: read("broadsheet.db-wal") }
    }

    async fn store(&self, folder: &Path) -> Store {
        let _ = std::fs::remove_dir_all(folder);
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::write(folder.join("broadsheet.db"), &self.database).expect("written");
        std::fs::write(folder.join("broadsheet.db-wal"), &self.log).expect("written");
        let url = folder.join("broadsheet.db").display().to_string();
        Store::open(&url, Clock::fixed(NOW)).await.expect("what power left opens")
    }
}

/// A sequence that is the same for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) >> 33).expect("is 31 bits") % end.max(1)
    }

    /// `before` with some of what `after` has: cut at a byte, or any sectors, or sectors of nothing.
    fn partly(&mut self, before: &[u8], after: &[u8]) -> Vec<u8> {
        let first = before.iter().zip(after).position(|(one, other)| one != other).unwrap_or(before.len());
        let kind = self.below(3);
        let mut image = before.to_vec();
        let cut = first + self.below(after.len().saturating_sub(first) + 1);
        if kind == 0 {
            image.truncate(image.len().max(cut));
            image.resize(image.len().max(cut), 0);
            image[first..cut].copy_from_slice(&after[first..cut]);
            return image;
        }
        image.resize(before.len().max(after.len()), 0);
        for start in (first / SECTOR * SECTOR..after.len()).step_by(SECTOR) {
            let end = (start + SECTOR).min(after.len());
            match self.below(3) {
                0 => {}
                1 if kind == 2 && start >= before.len() => image[start..end].fill(0),
                _ => image[start..end].copy_from_slice(&after[start..end]),
            }
        }
        image
    }
}

async fn write(app: &TestApp, newsletter: NewsletterId, n: usize) {
    let new = NewReader {
        newsletter,
        address: address(n),
        name: format!("Reader {n}"),
        consent: "said so at the fair".into(),
        by: "a test".into(),
        account: None,
    };
    add_reader(&app.app, new).await.expect("is acknowledged");
}

fn address(n: usize) -> Address {
    Address::parse(&format!("reader{n}@readers.example")).expect("an address")
}

/// Everybody up to `acknowledged` is there, and nothing is broken.
async fn holds(image: &Image, folder: &Path, acknowledged: usize, what: &str) {
    let store = image.store(folder).await;
    let mut tx = store.read().await.expect("reads");
    for n in 0..acknowledged {
        let found = store::subscriber::by_address(&mut tx, &address(n)).await.expect("reads");
        assert!(found.is_some(), "{what}: reader {n} of {acknowledged} was acknowledged and is lost");
    }
    drop(tx);
    store.close().await;
    let url = format!("sqlite://{}", folder.join("broadsheet.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.expect("opens");
    let said: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&pool).await.expect("answers");
    assert_eq!(said, "ok", "{what}");
    pool.close().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_power_went_two_hundred_times() {
    let app = TestApp::new().await;
    let newsletter = app.newsletter("smtp://127.0.0.1:9").await;
    let folder = app.folder.join("image");
    let (mut chance, mut before, mut images) = (Chance(SEED), Image::of(&app.folder), 0);
    for n in 0..WRITES {
        write(&app, newsletter, n).await;
        let after = Image::of(&app.folder);
        // Power went while write n was on its way to the log: those before it are there.
        let log = chance.partly(&before.log, &after.log);
        let torn = Image { database: before.database.clone(), log };
        holds(&torn, &folder, n, &format!("the log of write {n} in part")).await;
        // Power went after it was acknowledged, perhaps while the log was being copied into the database.
        let database = chance.partly(&before.database, &after.database);
        let copied = Image { database, log: after.log.clone() };
        holds(&copied, &folder, n + 1, &format!("the log of write {n} whole, the database in part")).await;
        images += 2;
        before = after;
    }
    assert_eq!(images, 2 * WRITES);
}
