use super::*;

struct Item(char, u32);

impl Linked for Item {
    fn next(&self) -> u32 {
        self.1
    }

    fn set_next(&mut self, next: u32) {
        self.1 = next;
    }
}

fn filled(text: &str) -> (Slab<Item>, List) {
    let (mut slab, mut list) = (Slab::new(8), List::new());
    for letter in text.chars() {
        let number = slab
            .insert(Item(letter, NONE))
            .unwrap_or_else(|_| panic!("there is room"));
        list.push_back(&mut slab, number);
    }
    (slab, list)
}

fn check(slab: &Slab<Item>, list: &List, expected: &str) {
    let mut text = String::new();
    list.each(slab, |item| text.push(item.0));
    assert_eq!(text, expected);
    assert_eq!(list.len() as usize, expected.chars().count());
    assert_eq!(list.is_empty(), expected.is_empty());
}

#[test]
fn a_full_slab_gives_the_item_back() {
    let mut slab = Slab::new(2);
    assert_eq!(slab.insert('a'), Ok(0));
    assert_eq!(slab.insert('b'), Ok(1));
    assert_eq!(slab.insert('c'), Err('c'));
    assert_eq!(slab.remove(0), Some('a'));
    assert_eq!(slab.insert('c'), Ok(0), "the place is used again");
    assert_eq!((slab.len(), slab.numbers()), (2, 2));
}

#[test]
fn an_item_is_removed_once() {
    let mut slab = Slab::new(2);
    assert_eq!(slab.insert('a'), Ok(0));
    assert_eq!(slab.remove(0), Some('a'));
    assert_eq!(slab.remove(0), None);
    assert_eq!(slab.remove(NONE), None);
    assert_eq!((slab.get(0), slab.len()), (None, 0));
}

#[test]
fn a_list_keeps_its_order_whatever_is_taken() {
    let (mut slab, mut list) = filled("abcd");
    check(&slab, &list, "abcd");
    assert_eq!(list.take(&mut slab, |item| item.0 == 'c'), Some(2));
    check(&slab, &list, "abd");
    assert_eq!(list.take(&mut slab, |item| item.0 == 'd'), Some(3));
    check(&slab, &list, "ab");
    assert_eq!(list.take(&mut slab, |item| item.0 == 'a'), Some(0));
    check(&slab, &list, "b");
    assert_eq!(list.take(&mut slab, |item| item.0 == 'x'), None);
    list.push_back(&mut slab, 3);
    check(&slab, &list, "bd");
    assert_eq!(list.pop_front(&slab), Some(1));
    assert_eq!(list.pop_front(&slab), Some(3));
    assert_eq!(list.pop_front(&slab), None);
    check(&slab, &list, "");
    list.push_back(&mut slab, 0);
    check(&slab, &list, "a");
}

#[test]
fn find_looks_from_the_front() {
    let (slab, list) = filled("abab");
    assert_eq!(list.find(&slab, |item| item.0 == 'b'), Some(1));
    assert_eq!(list.find(&slab, |item| item.0 == 'x'), None);
}
