from django import template

from credits.counting import counted

register = template.Library()
register.filter(counted)
