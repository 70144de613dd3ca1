"""Diet-KIT (Liu, Koneru and Niehues, IWSLT 2026): HQQ quantisation of a fine-tuned Qwen2-Audio-7B."""

from harness.calibration import Awq, Prompts, Sensitivity, least_sensitive
from harness.compression.codecs import Hqq
from harness.compression.recipe import Recipe, Rule, SmallestThatFits, rule
from harness.compression.registry import system
from harness.compression.selectors import EMBEDDING, HEAD, LINEAR, MLP, Selector, at_random, first, last, middle

DEVELOPMENT_SEGMENTS = 468
"""Segments of the ACL 60/60 development set; table 5 calibrates on 128, 256 or all of them."""


@system("fp16-untuned", role="untuned", source="Diet-KIT table 1, row 1")
def fp16_untuned() -> Recipe:
    """The untuned base model, 16 bit."""
    return Recipe()


@system("fp16-finetuned", role="finetuned", source="Diet-KIT table 1, row 2")
def fp16_finetuned() -> Recipe:
    """The fine-tuned model before any compression, 16 bit."""
    return Recipe()


@system("hqq8", role="finetuned", source="Diet-KIT table 1, row 3")
def hqq8() -> Recipe:
    """All linear layers at 8 bits, groups of 64."""
    return Recipe(rule(LINEAR, Hqq(bits=8)))


@system("hqq4", role="finetuned", source="Diet-KIT table 1, row 4")
def hqq4() -> Recipe:
    """All linear layers at 4 bits, groups of 64."""
    return Recipe(rule(LINEAR, Hqq(bits=4)))


@system("hqq3", role="finetuned", source="Diet-KIT table 1, row 5")
def hqq3() -> Recipe:
    """All linear layers at 3 bits, groups of 64: the quantisation cliff."""
    return Recipe(rule(LINEAR, Hqq(bits=3)))


@system("hqq4-mlp3", role="finetuned", source="Diet-KIT section 4.4")
def hqq4_mlp3() -> Recipe:
    """All MLPs at 3 bits, the other linear layers at 4."""
    return Recipe(rule(MLP, Hqq(bits=3)), *hqq4().rules)


@system("hqq4-emb4", role="finetuned", source="Diet-KIT table 1, row 6")
def hqq4_emb4() -> Recipe:
    """Linear layers and the embedding at 4 bits."""
    return Recipe(rule(EMBEDDING, Hqq(bits=4)), *hqq4().rules)


@system("hqq4-emb2", role="finetuned", source="Diet-KIT table 1, row 7")
def hqq4_emb2() -> Recipe:
    """Linear layers at 4 bits, the embedding at 2."""
    return _emb2(group_size=64)


@system("hqq4-head2", role="finetuned", source="Diet-KIT section 4.2")
def hqq4_head2() -> Recipe:
    """Linear layers at 4 bits, the LM head at 2; generation fails."""
    return Recipe(rule(HEAD, Hqq(bits=2)), *hqq4().rules)


@system("hqq4-emb2-g128", role="finetuned", source="Diet-KIT table 1, row 8")
def hqq4_emb2_g128() -> Recipe:
    """4 bits with a 2-bit embedding, groups of 128."""
    return _emb2(group_size=128)


@system("hqq4-emb2-g256", role="finetuned", source="Diet-KIT table 1, row 9 (number inferred)")
def hqq4_emb2_g256() -> Recipe:
    """4 bits with a 2-bit embedding, groups of 256."""
    return _emb2(group_size=256)


@system("hqq4-emb2-g512", role="finetuned", source="Diet-KIT table 1, row 10 (number inferred)")
def hqq4_emb2_g512() -> Recipe:
    """4 bits with a 2-bit embedding, groups of 512."""
    return _emb2(group_size=512)


def _emb2(group_size: int) -> Recipe:
    return Recipe(rule(EMBEDDING, Hqq(2, group_size)), rule(LINEAR, Hqq(4, group_size)))


def _mlps_at_3_bits(chosen: Selector) -> tuple[Rule, ...]:
    """Return the rules of row 8 with the MLPs of the chosen layers at 3 bits."""
    return (rule(MLP & chosen, Hqq(3, group_size=128)), *hqq4_emb2_g128().rules)


def _contrastive(count: int) -> Recipe:
    if count == 0:
        return hqq4_emb2_g128()
    ranking = Sensitivity(parent="hqq4-emb2-g128", trial=Hqq(3, group_size=128))
    return Recipe(*_mlps_at_3_bits(least_sensitive(count, ranking)))


def _calibrated(recipe: Recipe, prompts: Prompts, share: float = 1.0) -> Recipe:
    return Recipe(*recipe.rules, transforms=[Awq(prompts, share)])


@system("hqq-contrastive", role="finetuned", source="Diet-KIT section 4.4, system 11")
def hqq_contrastive() -> Recipe:
    """Row 8 with the 4 least sensitive MLPs at 3 bits."""
    return _contrastive(4)


@system("hqq-primary", role="finetuned", source="Diet-KIT section 4.5, system 12")
def hqq_primary() -> Recipe:
    """The contrastive system, AWQ-calibrated on the source audio of the whole development set."""
    return _calibrated(_contrastive(4), Prompts.SOURCE)


@system("hqq-contrastive-fit", role="finetuned", source="after Diet-KIT section 4.4")
def hqq_contrastive_fit() -> SmallestThatFits:
    """Row 8 with as many of the least sensitive MLPs at 3 bits as the task's limit requires."""
    return SmallestThatFits(_contrastive)


@system("hqq-primary-fit", role="finetuned", source="after Diet-KIT section 4.5")
def hqq_primary_fit() -> SmallestThatFits:
    """As many 3-bit MLPs as the limit requires, AWQ-calibrated as the primary system."""
    return SmallestThatFits(lambda count: _calibrated(_contrastive(count), Prompts.SOURCE))


@system("hqq-first4", role="finetuned", source="Diet-KIT table 4")
def hqq_first4() -> Recipe:
    """Row 8 with the MLPs of the first 4 layers at 3 bits."""
    return Recipe(*_mlps_at_3_bits(first(4)))


@system("hqq-last4", role="finetuned", source="Diet-KIT table 4")
def hqq_last4() -> Recipe:
    """Row 8 with the MLPs of the last 4 layers at 3 bits."""
    return Recipe(*_mlps_at_3_bits(last(4)))


@system("hqq-middle4", role="finetuned", source="Diet-KIT table 4")
def hqq_middle4() -> Recipe:
    """Row 8 with the MLPs of the middle 4 layers at 3 bits."""
    return Recipe(*_mlps_at_3_bits(middle(4)))


@system("hqq-random4-a", role="finetuned", source="Diet-KIT table 4, first of three runs")
def hqq_random4_a() -> Recipe:
    """Row 8 with the MLPs of 4 random layers at 3 bits."""
    return Recipe(*_mlps_at_3_bits(at_random(4, seed=1)))


@system("hqq-random4-b", role="finetuned", source="Diet-KIT table 4, second of three runs")
def hqq_random4_b() -> Recipe:
    """Row 8 with the MLPs of 4 other random layers at 3 bits."""
    return Recipe(*_mlps_at_3_bits(at_random(4, seed=2)))


@system("hqq-random4-c", role="finetuned", source="Diet-KIT table 4, third of three runs")
def hqq_random4_c() -> Recipe:
    """Row 8 with the MLPs of 4 more random layers at 3 bits."""
    return Recipe(*_mlps_at_3_bits(at_random(4, seed=3)))


def _table_5(prompts: Prompts, segments: int = DEVELOPMENT_SEGMENTS) -> Recipe:
    """Return the contrastive recipe, calibrated on the same fraction of the development set as in the paper."""
    return _calibrated(_contrastive(4), prompts, segments / DEVELOPMENT_SEGMENTS)


@system("hqq-awq-source-128", role="finetuned", source="Diet-KIT table 5")
def hqq_awq_source_128() -> Recipe:
    """Contrastive, AWQ on the source audio of 128 development segments."""
    return _table_5(Prompts.SOURCE, 128)


@system("hqq-awq-source-256", role="finetuned", source="Diet-KIT table 5")
def hqq_awq_source_256() -> Recipe:
    """Contrastive, AWQ on the source audio of 256 development segments."""
    return _table_5(Prompts.SOURCE, 256)


@system("hqq-awq-de-128", role="finetuned", source="Diet-KIT table 5")
def hqq_awq_de_128() -> Recipe:
    """Contrastive, AWQ on 128 development segments with their German translations."""
    return _table_5(Prompts.GERMAN, 128)


@system("hqq-awq-de-256", role="finetuned", source="Diet-KIT table 5")
def hqq_awq_de_256() -> Recipe:
    """Contrastive, AWQ on 256 development segments with their German translations."""
    return _table_5(Prompts.GERMAN, 256)


@system("hqq-awq-de-all", role="finetuned", source="Diet-KIT table 5")
def hqq_awq_de_all() -> Recipe:
    """Contrastive, AWQ on all development segments with their German translations."""
    return _table_5(Prompts.GERMAN)


@system("hqq-awq-zh-128", role="finetuned", source="Diet-KIT table 5")
def hqq_awq_zh_128() -> Recipe:
    """Contrastive, AWQ on 128 development segments with their Chinese translations."""
    return _table_5(Prompts.CHINESE, 128)


@system("hqq-awq-zh-256", role="finetuned", source="Diet-KIT table 5")
def hqq_awq_zh_256() -> Recipe:
    """Contrastive, AWQ on 256 development segments with their Chinese translations."""
    return _table_5(Prompts.CHINESE, 256)


@system("hqq-awq-zh-all", role="finetuned", source="Diet-KIT table 5")
def hqq_awq_zh_all() -> Recipe:
    """Contrastive, AWQ on all development segments with their Chinese translations."""
    return _table_5(Prompts.CHINESE)
