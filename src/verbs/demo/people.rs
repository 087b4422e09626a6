//! The demo's readers: invented, the same on every machine, from many languages, at `.example` domains (RFC 2606),
//! which can never be anybody's.

/// One invented reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    /// Empty for some: people sign up without one, and the greeting has a word for them.
    pub(super) name: String,
    pub(super) address: String,
}

/// A language's names: eight of each, as written and as it stands in an address.
struct Place {
    given: &'static str,
    family: &'static str,
    family_first: bool,
    domains: [&'static str; 2],
}

const NAMES: usize = 8;
/// One reader in so many left the field for the name empty.
const NAMELESS_EVERY: usize = 13;

/// Reader number `n`. No two have the same address.
#[must_use]
pub(super) fn person(n: usize) -> Person {
    let place = &PLACES[n % PLACES.len()];
    let round = n / PLACES.len();
    let given = pick(place.given, round % NAMES);
    let family = pick(place.family, (round / NAMES + round) % NAMES);
    let again = round / (NAMES * NAMES);
    let domain = place.domains[(round / 3) % place.domains.len()];
    let suffix = if again == 0 { String::new() } else { (again + 1).to_string() };
    let name = match (n % NAMELESS_EVERY, place.family_first) {
        (7, _) => String::new(),
        (_, true) => format!("{}{}", family.0, given.0),
        (_, false) => format!("{} {}", given.0, family.0),
    };
    // The domain follows from the round, and the round from the names and the suffix.
    Person { name, address: format!("{}.{}{suffix}@{domain}", given.1, family.1) }
}

/// The name at a place of its list, and how it stands in an address.
fn pick(names: &'static str, at: usize) -> (&'static str, &'static str) {
    names.split(", ").nth(at).and_then(|name| name.split_once(' ')).unwrap_or_default()
}

const PLACES: [Place; 12] = [
    Place {
        given: "Inês ines, Tiago tiago, Beatriz beatriz, João joao, Leonor leonor, Duarte duarte, Graça graca, \
            Simão simao",
        family: "Barca barca, Conceição conceicao, Falésia falesia, Gouveia gouveia, Marinho marinho, \
            Pontão pontao, Ribeira ribeira, Salgado salgado",
        family_first: false,
        domains: ["cais.example", "correio.example"],
    },
    Place {
        given: "Sunniva sunniva, Håkon hakon, Ragnhild ragnhild, Øystein oystein, Åse ase, Torbjørn torbjorn, \
            Solveig solveig, Leif leif",
        family: "Brygge brygge, Fjordheim fjordheim, Havn havn, Ness ness, Skjær skjaer, Strøm strom, Vågen vagen, \
            Ytrøy ytroy",
        family_first: false,
        domains: ["brygga.example", "nordpost.example"],
    },
    Place {
        given: "小燕 xiaoyan, 建国 jianguo, 雨桐 yutong, 志远 zhiyuan, 晓梅 xiaomei, 海涛 haitao, 思源 siyuan, 静怡 jingyi",
        family: "李 li, 王 wang, 陈 chen, 林 lin, 海 hai, 周 zhou, 吴 wu, 何 he",
        family_first: true,
        domains: ["gangkou.example", "youjian.example"],
    },
    Place {
        given: "Ama ama, Kwame kwame, Efua efua, Kofi kofi, Abena abena, Yaw yaw, Esi esi, Kojo kojo",
        family: "Asante asante, Boateng boateng, Darko darko, Mensah mensah, Ofori ofori, Osei osei, \
            Quartey quartey, Tetteh tetteh",
        family_first: false,
        domains: ["temaquay.example", "letters.example"],
    },
    Place {
        given: "Олена olena, Тарас taras, Ірина iryna, Богдан bohdan, Софія sofiia, Остап ostap, Марта marta, \
            Юрій yurii",
        family: "Берег bereh, Гавань havan, Лиман lyman, Морозенко morozenko, Причал prychal, Скеля skelia, \
            Хвиля khvylia, Якір yakir",
        family_first: false,
        domains: ["gavan.example", "poshta.example"],
    },
    Place {
        given: "Maren maren, Jörg joerg, Wiebke wiebke, Hauke hauke, Friederike friederike, Björn bjoern, \
            Antje antje, Ole ole",
        family: "Deichgraf deichgraf, Förster foerster, Hansen hansen, Kröger kroeger, Lührs luehrs, Möwe moewe, \
            Siel siel, Wattenberg wattenberg",
        family_first: false,
        domains: ["kaimauer.example", "briefpost.example"],
    },
    Place {
        given: "ليلى layla, يوسف yusuf, مريم maryam, خالد khalid, نور nour, سامي sami, هدى huda, طارق tariq",
        family: "البحري albahri, الحداد alhaddad, الساحلي alsahili, الشراعي alshiraei, المرسى almarsa, \
            المنارة almanara, النجار alnajjar, الملاح almallah",
        family_first: false,
        domains: ["mina.example", "barid.example"],
    },
    Place {
        given: "Nell nell, Elias elias, Ottilie ottilie, Rory rory, Hester hester, Callum callum, Morag morag, \
            Tobias tobias",
        family: "Abara abara, Cairn cairn, Holt holt, Marlow marlow, O’Shea oshea, Quayle quayle, Skerry skerry, \
            Tidewell tidewell",
        family_first: false,
        domains: ["harbourmail.example", "quayhouse.example"],
    },
    Place {
        given: "美咲 misaki, 健太 kenta, さくら sakura, 大輔 daisuke, 陽子 yoko, 海斗 kaito, 千尋 chihiro, 拓海 takumi",
        family: "佐藤 sato, 鈴木 suzuki, 港 minato, 浜田 hamada, 磯部 isobe, 潮見 shiomi, 岬 misaki, 船橋 funabashi",
        family_first: true,
        domains: ["hatoba.example", "yubin.example"],
    },
    Place {
        given: "Camila camila, Íñigo inigo, Rocío rocio, Ángel angel, Marisol marisol, Joaquín joaquin, \
            Nieves nieves, Pío pio",
        family: "Bahía bahia, Espigón espigon, Faro faro, Marea marea, Muñoz munoz, Peña pena, \
            Rompeolas rompeolas, Vela vela",
        family_first: false,
        domains: ["muelle.example", "correo.example"],
    },
    Place {
        given: "Ελένη eleni, Νίκος nikos, Σοφία sofia, Γιάννης giannis, Κατερίνα katerina, Στέλιος stelios, \
            Δάφνη dafni, Πέτρος petros",
        family: "Θάλασσα thalassa, Λιμενάρχη limenarchi, Μελτέμι meltemi, Νησιώτη nisioti, Παράκτια paraktia, \
            Πελαγίτη pelagiti, Φάρου farou, Ψαρά psara",
        family_first: false,
        domains: ["limani.example", "grammata.example"],
    },
    Place {
        given: "Aylin aylin, Deniz deniz, Çağla cagla, Emre emre, Gülşen gulsen, İlker ilker, Özlem ozlem, \
            Yiğit yigit",
        family: "Aydın aydin, Balıkçı balikci, Dalgakıran dalgakiran, Fener fener, Kaptanoğlu kaptanoglu, \
            Limancı limanci, Şahin sahin, Yelken yelken",
        family_first: false,
        domains: ["iskele.example", "mektup.example"],
    },
];

#[cfg(test)]
mod tests {
    use super::person;
    use crate::values::address::Address;
    use std::collections::HashSet;

    #[test]
    fn no_two_readers_share_an_address_and_every_one_can_be_mailed() {
        let mut seen = HashSet::new();
        for n in 0..20_000 {
            let person = person(n);
            let address = Address::parse(&person.address).unwrap_or_else(|error| panic!("{person:?}: {error}"));
            assert!(address.domain().ends_with(".example"), "{person:?}");
            assert!(seen.insert(address.key()), "{person:?}");
        }
    }

    #[test]
    fn they_are_the_same_everywhere_and_some_have_no_name() {
        assert_eq!(person(7 + 12), person(7 + 12));
        let nameless = (0..500).filter(|n| person(*n).name.is_empty()).count();
        assert!((20..60).contains(&nameless), "{nameless}");
    }
}
