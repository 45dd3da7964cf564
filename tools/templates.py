"""Reads CloudFormation templates for the checks beside this file."""

import yaml


class Template(yaml.SafeLoader):
    """Takes CloudFormation's short forms (`!Sub`, `!GetAtt`) for what they are applied to."""


def short_form(loader, _tag, node):
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


Template.add_multi_constructor("!", short_form)


def read(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Template)
