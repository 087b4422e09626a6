//! The data folder: made for its owner alone, and served by one program at a time.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};

/// Makes the folder, readable by its owner alone (0700): it holds addresses and keys.
///
/// # Errors
/// When it cannot be made, or is no folder.
pub fn make(folder: &Path) -> anyhow::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).with_context(|| {
        format!("the data folder {} cannot be made; nothing was written. Choose another with --data", folder.display())
    })
}

/// Held as long as this program serves the folder; the operating system lets go of it however the program ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Locks the folder for serving. Other commands do not need it: the database keeps them apart.
///
/// # Errors
/// When another program serves the folder, or the file cannot be written.
pub fn lock(folder: &Path) -> anyhow::Result<Lock> {
    let path = folder.join("serve.lock");
    let opening = || format!("the lock file {} cannot be opened", path.display());
    let mut file = File::options().create(true).truncate(false).write(true).open(&path).with_context(opening)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!(
            "another `broadsheet serve` is already serving the folder {}; this one was not started and changed \
             nothing. Stop the other first, or give this one a folder of its own with --data",
            folder.display()
        ),
        Err(TryLockError::Error(error)) => return Err(error).with_context(opening),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).with_context(opening)?;
    Ok(Lock { _file: file })
}

/// Waits for its turn to change the database's shape; let go of it when that is done.
///
/// # Errors
/// When the file cannot be written.
pub fn turn(folder: &Path) -> anyhow::Result<Lock> {
    let path = folder.join("migrate.lock");
    let opening = || format!("the lock file {} cannot be opened", path.display());
    let file = File::options().create(true).truncate(false).write(true).open(&path).with_context(opening)?;
    file.lock().with_context(opening)?;
    Ok(Lock { _file: file })
}
