//! Pictures that lie beside an issue's file.

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use super::{BadPicture, FILE_BYTES_MAX, Picture, prepare};

/// A file name at least this alike is what was meant.
const ALIKE_MIN: f64 = 0.88;

/// Why a picture beside an issue can't be used.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    #[error("there is no such file{}", hint(.0.as_deref()))]
    Missing(Option<String>),
    #[error("it lies outside the issue's folder; put the file beside the issue")]
    Outside,
    #[error("the file can't be read: {0}")]
    Unreadable(std::io::Error),
    #[error(transparent)]
    Bad(#[from] BadPicture),
}

fn hint(alike: Option<&str>) -> String {
    alike.map(|name| format!("; did you mean {name}?")).unwrap_or_else(|| "; put it beside the issue".to_owned())
}

/// Reads and prepares the picture that an issue in `folder` names. Blocking.
///
/// # Errors
/// [`NotRead`], which says what to do.
pub fn read(folder: &Path, reference: &str) -> Result<Picture, NotRead> {
    let mut missing = None;
    // "my%20picture.jpg" is how Markdown's editors write a space; a file may also be called so.
    let decoded = percent_encoding::percent_decode_str(reference).decode_utf8_lossy().into_owned();
    for name in [reference, decoded.as_str()] {
        let path = inside(folder, name).ok_or(NotRead::Outside)?;
        match load(&path) {
            Ok(bytes) => return Ok(prepare(&bytes)?),
            Err(NotRead::Unreadable(error)) if error.kind() == ErrorKind::NotFound => missing = Some(path),
            Err(other) => return Err(other),
        }
    }
    Err(NotRead::Missing(missing.and_then(|path| alike(folder, &path))))
}

fn load(path: &Path) -> Result<Vec<u8>, NotRead> {
    let about = std::fs::metadata(path).map_err(NotRead::Unreadable)?;
    if about.is_dir() {
        return Err(NotRead::Bad(BadPicture::OtherKind("a folder")));
    }
    let size = usize::try_from(about.len()).unwrap_or(usize::MAX);
    if size > FILE_BYTES_MAX {
        return Err(BadPicture::TooHeavy(size).into());
    }
    std::fs::read(path).map_err(NotRead::Unreadable)
}

/// The path of a name within a folder; `None` if it leads out of it.
fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let name = Path::new(name);
    let stays = name.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    (stays && !name.as_os_str().is_empty()).then(|| folder.join(name))
}

/// A file in the same folder with nearly the same name.
fn alike(folder: &Path, path: &Path) -> Option<String> {
    let wanted = path.file_name()?.to_str()?.to_lowercase();
    let names = std::fs::read_dir(path.parent()?).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let best = names
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= ALIKE_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)?;
    let found = path.with_file_name(best);
    Some(found.strip_prefix(folder).unwrap_or(&found).display().to_string())
}
