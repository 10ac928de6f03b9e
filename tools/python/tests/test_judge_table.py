"""Action tables of judges: JSON, and the CSV of `trajpack evaluate --classes`."""
import pytest

from trajpack import DataError
from trajpack.evaluate import judge


def test_csv_and_json_say_the_same(tmp_path):
    file = tmp_path / "table"
    file.write_text('[{"action": [3, "*", 12], "class": "attack", "name": "draw, slash"}, '
                    '{"action": ["*", "*", 0], "class": "rest"}]')
    rules = judge.read_rules(file)
    file.write_text('\ufeffweapon,bank,motion,class,name\r\n3,*,12,attack,"draw, slash"\r\n-1,*,0,rest,\r\n')
    assert judge.read_rules(file) == rules
    file.write_text("weapon,bank,motion,class\n3,*,12,attack\n")
    assert judge.read_rules(file) == [judge.ActionRule((3, None, 12), "attack")]


@pytest.mark.parametrize("text,said", [
    ("", "header"), ("class\n1\n", "header"), ("a,b\n1,2\n", "header"), ("a,class\n1\n", "line 2 must have 2 cells"),
    ("a,class\n1,\n", "a class"), ("a,class\nx,1\n", "whole numbers"), ('a,class\n"1,2\n', "line 2")])
def test_what_is_no_table(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        judge.read_rules(tmp_path / "t.csv")
