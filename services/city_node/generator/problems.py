"""Why a city is not generated."""

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class CityInhabited(Problem):
    """The node has customers already."""

    status = 409
    title = Text("City has customers", "该地市已有客户")
    sentence = Text(
        "Node {node} has customers already: add generated ones beside them with --append, or name an empty node.",
        "节点 {node} 已有客户：如需追加模拟客户请加 --append，否则请指定空节点。",
    )


class SeedUsed(Problem):
    """Customers of the same seed are there already."""

    status = 409
    title = Text("Seed used before", "随机种子已使用")
    sentence = Text(
        "Node {node} has customers that were generated from seed {seed}: take another seed to add more.",
        "节点 {node} 已有由种子 {seed} 生成的客户：追加请换一个种子。",
    )
