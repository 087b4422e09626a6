//! Which column holds what, by the words people and services put into the first line.

use crate::values::address::Address;

/// Where to look in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) address: usize,
    pub(super) name: Option<usize>,
    pub(super) first_name: Option<usize>,
    pub(super) last_name: Option<usize>,
    pub(super) zone: Option<usize>,
    /// The first line has names of columns; otherwise it is a reader already.
    pub(super) named: bool,
}

// Surest words first: "Adresse" may be a street where there is also an "E-Mail".
const ADDRESS: [&[&str]; 3] = [
    &[
        "email",
        "emailaddress",
        "emailadresse",
        "adresseemail",
        "subscriberemail",
        "useremail",
        "correoelectronico",
        "enderecodeemail",
        "emailadres",
        "epostadress",
        "epostadresse",
        "sahkopostiosoite",
        "メールアドレス",
        "电子邮件",
        "電子郵件",
        "邮箱",
        "이메일",
        "البريدالإلكتروني",
        "البريدالالكتروني",
        "электроннаяпочта",
        "אימייל",
    ],
    &[
        "mail",
        "mailaddress",
        "mailadresse",
        "adressemail",
        "adressemel",
        "courriel",
        "correo",
        "epost",
        "sahkoposti",
        "メール",
        "почта",
        "البريد",
    ],
    &["address", "adresse", "direccion", "adres", "indirizzo", "endereco", "subscriber", "recipient"],
];
const NAME: &[&str] = &[
    "name",
    "fullname",
    "displayname",
    "subscribername",
    "vollername",
    "nom",
    "nomcomplet",
    "nombre",
    "nombrecompleto",
    "nome",
    "nomecompleto",
    "naam",
    "namn",
    "navn",
    "nimi",
    "名前",
    "氏名",
    "姓名",
    "이름",
    "الاسم",
    "имя",
    "שם",
];
const FIRST: &[&str] = &[
    "firstname",
    "givenname",
    "forename",
    "vorname",
    "prenom",
    "primernombre",
    "voornaam",
    "fornamn",
    "fornavn",
    "etunimi",
    "名",
];
const LAST: &[&str] = &[
    "lastname",
    "surname",
    "familyname",
    "nachname",
    "familienname",
    "nomdefamille",
    "apellido",
    "apellidos",
    "cognome",
    "sobrenome",
    "achternaam",
    "efternamn",
    "etternavn",
    "sukunimi",
    "姓",
];

const ZONE: &[&str] =
    &["zone", "timezone", "tz", "ianazone", "zeitzone", "fuseauhoraire", "zonahoraria", "fusohorario"];

/// Reads the first line; `None` if no column can be the address.
pub(super) fn find(head: &[String]) -> Option<Columns> {
    let words: Vec<String> = head.iter().map(|cell| word(cell)).collect();
    let among = |known: &[&str]| words.iter().position(|word| known.contains(&word.as_str()));
    if let Some(address) = ADDRESS.iter().find_map(|known| among(known)) {
        let (name, first_name, last_name) = (among(NAME), among(FIRST), among(LAST));
        // French "Nom" beside "Prénom" is the family name.
        let (name, last_name) = match (first_name, last_name) {
            (Some(_), None) => (None, name),
            (Some(_), Some(_)) => (None, last_name),
            _ => (name, last_name),
        };
        return Some(Columns { address, name, first_name, last_name, zone: among(ZONE), named: true });
    }
    let address = head.iter().position(|cell| Address::parse(cell).is_ok())?;
    let name = (0..head.len()).find(|at| *at != address && head.len() == 2);
    Some(Columns { address, name, first_name: None, last_name: None, zone: None, named: false })
}

/// "E-Mail-Adresse" and "email_adresse" are one word; accents don't count.
fn word(cell: &str) -> String {
    cell.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).map(plain).collect()
}

fn plain(letter: char) -> char {
    match letter {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    }
}
